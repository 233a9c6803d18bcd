"""What hypothesis draws: rating tables with the corners that real ones have."""

import numpy as np
from hypothesis import strategies as st

from hakken.training.tables import RatingTable
from tests.strategies import scores


@st.composite
def rating_tables(draw: st.DrawFn, max_users: int = 8, max_items: int = 7) -> RatingTable:
    """A table with at least one score: users and items may have none, ids may be anything, scores all equal."""
    n_users, n_items = draw(st.integers(1, max_users)), draw(st.integers(1, max_items))
    values = draw(st.sampled_from([scores, st.sampled_from([0, 7]), st.sampled_from([1, 10])]))
    cells = draw(
        st.dictionaries(st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1)), values, min_size=1)
    )
    cells[0, 0] = draw(st.integers(1, 10))
    anime_ids = draw(st.lists(st.integers(1, 60_000), min_size=n_items, max_size=n_items, unique=True))
    ordered = sorted(cells)
    return RatingTable(
        anime_ids=np.array(sorted(anime_ids), dtype=np.int32),
        n_users=n_users,
        users=np.array([u for u, _ in ordered], dtype=np.int32),
        items=np.array([i for _, i in ordered], dtype=np.int32),
        scores=np.array([cells[cell] for cell in ordered], dtype=np.int8),
        rows=len(ordered),
    )
