"""What hypothesis draws: lists and models, with the corners that real ones have."""

import numpy as np
from hypothesis import strategies as st

from hakken.model import Manifest, Model, Parameters, People
from hakken.model.arrays import Arrays
from hakken.model.manifest import Sizes
from hakken.model.preference import Taste
from hakken.model.trees import N_LISTS, N_SPLITS
from hakken.ratings import Rating, Status, UserList

scores = st.integers(0, 10)


def user_lists(anime_ids: list[int], max_size: int = 40) -> st.SearchStrategy[UserList]:
    """A list of some of these anime, with any score and status; repeats are possible."""
    entry = st.builds(Rating, st.sampled_from(anime_ids), scores, st.sampled_from(Status))
    return st.lists(entry, max_size=max_size).map(UserList.of)


@st.composite
def preference_models(draw: st.DrawFn, max_items: int = 8) -> Model:
    """A model of preference weights and attributes, any of which a title may lack, and of nothing else."""
    n_items, n_attributes = draw(st.integers(1, max_items)), draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    density = draw(st.sampled_from([0.0, 0.3, 0.8]))
    weights = (rng.random((n_items, n_items)) < density) & ~np.eye(n_items, dtype=np.bool_)
    share = rng.choice([0.0, 0.5, 2.0], n_items)
    has = (rng.random((n_items, n_attributes)) < draw(st.sampled_from([0.0, 0.4, 1.0]))) & (share > 0)[:, None]
    speaks = rng.random(n_items) < 0.7
    empty = np.zeros(n_items + 1, dtype=np.int64)
    arrays = Arrays(
        anime_ids=np.arange(1, n_items + 1, dtype=np.int32),
        b_i=np.zeros(n_items),
        raters=np.ones(n_items, dtype=np.int32),
        sim_indptr=empty,
        sim_indices=np.zeros(0, dtype=np.uint16),
        sim_values=np.zeros(0, dtype=np.uint16),
        sim_scale=np.zeros(n_items, dtype=np.float32),
        sim_support=np.zeros(0, dtype=np.uint16),
        watchers=np.ones(n_items, dtype=np.int32),
        popularity=rng.uniform(0.01, 1, n_items).astype(np.float32),
        pref_indptr=np.concatenate(([0], np.cumsum(weights.sum(axis=1)))),
        pref_indices=np.nonzero(weights)[1].astype(np.uint16),
        pref_values=rng.integers(-(2**15) + 1, 2**15, int(weights.sum())).astype(np.int16),
        pref_scale=rng.uniform(0, 1e-4, n_items).astype(np.float32),
        attr_share=share.astype(np.float32),
        attr_indptr=np.concatenate(([0], np.cumsum(has.sum(axis=1)))),
        attr_indices=np.nonzero(has)[1].astype(np.uint16),
        attr_rows=np.where(speaks, np.cumsum(speaks) - 1, -1).astype(np.int32),
        attr_values=rng.integers(-127, 128, (int(speaks.sum()), n_attributes)).astype(np.int8),
        attr_scale=rng.uniform(1e-4, 1e-2, n_attributes).astype(np.float32),
        factors=rng.integers(-127, 128, (n_items, 3), dtype=np.int8),
        factor_scale=rng.choice([0.0, 0.001, 0.01, 0.1], n_items).astype(np.float32),
        tree_features=np.zeros((N_LISTS, 0, N_SPLITS), dtype=np.uint8),
        tree_borders=np.zeros((N_LISTS, 0, N_SPLITS)),
        tree_parts=np.zeros((N_LISTS, 0, 2**N_SPLITS, N_SPLITS)),
    )
    assert arrays.problem() is None
    manifest = Manifest(
        created="2026-01-01T00:00:00Z",
        hakken_version="0",
        mu=7.0,
        sizes=Sizes(users=1, items=n_items, entries=1, scored=1, neighbours=0, preferences=int(weights.sum())),
        people=People((0,) * 10, (0.0,) * 21),
        parameters=Parameters(),
        files={},
    )
    return Model(arrays, manifest, "drawn")


@st.composite
def tastes(draw: st.DrawFn, n_items: int) -> Taste:
    """A taste for some rows of a model, in any order."""
    rows = draw(st.lists(st.integers(0, n_items - 1), unique=True))
    liking = draw(st.lists(st.sampled_from([-0.25, 0.0, 0.35, 1.0, 1.4]), min_size=len(rows), max_size=len(rows)))
    return Taste(
        np.array(rows, dtype=np.int64),
        np.zeros(len(rows), dtype=np.int64),
        np.array(liking, dtype=np.float64),
        np.zeros(len(rows), dtype=np.bool_),
    )
