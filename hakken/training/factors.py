"""Learn the factors of titles (`hakken.model.factors`) from what people watched, by alternating least squares.

    Σ_u Σ_i c_ui (l_ui − z_u · y_i)² + λ (Σ_u |z_u|² + Σ_i |y_i|²)

l_ui is 1 for what u watched and else 0, and c_ui is `CONFIDENCE` for what u watched and else 1. Hu, Koren & Volinsky
(ICDM 2008), as the library `implicit` solves it.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from hakken.errors import TableError
from hakken.model.arrays import Array, Bools, Float32s, Int32s, look_up
from hakken.model.factors import CONFIDENCE, REGULARISER
from hakken.training.tables import RatingTable

N_FACTORS, ITERATIONS, SEED = 64, 12, 1


class ItemFactors(NamedTuple):
    """Factors of some titles.

    Attributes:
        anime_ids: `(n,)` int32, MyAnimeList ids, ascending.
        values: `(n, n_factors)` float32, y_i.
    """

    anime_ids: Int32s
    values: Float32s

    def packed(self, anime_ids: Int32s) -> dict[str, Array]:
        """The arrays `factors` and `factor_scale` of `hakken.model.arrays.Arrays`, by name, of a model's titles."""
        found = np.zeros((len(anime_ids), self.values.shape[1]), dtype=np.float32)
        rows, known = look_up(self.anime_ids, anime_ids.astype(np.int64))
        found[known] = self.values[rows[known]]
        scale = np.abs(found).max(axis=1, initial=0.0) / np.iinfo(np.int8).max
        quanta = np.divide(found, scale[:, np.newaxis], out=np.zeros_like(found), where=scale[:, np.newaxis] > 0)
        return {"factors": np.rint(quanta).astype(np.int8), "factor_scale": scale}


def no_factors() -> ItemFactors:
    """Of no title, and of length 0."""
    return ItemFactors(np.zeros(0, dtype=np.int32), np.zeros((0, 0), dtype=np.float32))


def item_factors(table: RatingTable, watched: Bools) -> ItemFactors:
    """Learn y_i of the titles of a table, of whose rows `watched`, `(n_rows,)`, say that someone watched a title.

    Raises:
        TableError: implicit can't be loaded.
    """
    with needing("implicit"):
        from implicit.als import AlternatingLeastSquares  # noqa: PLC0415  # see `needing`
    place = np.empty(table.n_users, dtype=np.int64)  # by id: sums would else differ with the order of people
    place[np.argsort(table.user_ids or range(table.n_users))] = np.arange(table.n_users)
    lists = list_matrix(place[table.users[watched]], table.items[watched], (table.n_users, len(table.anime_ids)))
    with implicit_settings():
        model = AlternatingLeastSquares(
            factors=N_FACTORS,
            regularization=REGULARISER,
            alpha=CONFIDENCE,
            iterations=ITERATIONS,
            random_state=SEED,
            num_threads=1,  # several wait for each other, spinning: five times as long where cores are shared
        )
        model.fit(lists, show_progress=False)
    return ItemFactors(table.anime_ids, model.item_factors)


def list_matrix(users: Array, items: Array, shape: tuple[int, int]) -> csr_matrix:
    """Entries, `(n,)` users and items, as float32 CSR: 1 where a user has an item on their list."""
    return csr_matrix((np.ones(len(items), dtype=np.float32), (users, items)), shape)


@contextmanager
def implicit_settings() -> Iterator[None]:
    """Limit BLAS to one thread, as `implicit` requires, and ignore its warning about a matrix that it made itself."""
    from implicit.utils import ParameterWarning  # noqa: PLC0415  # see `needing`

    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)
        yield


@contextmanager
def needing(library: str) -> Iterator[None]:
    """Import a library of the second stage: where a system library is missing, only this step fails.

    Raises:
        TableError: it can't be loaded.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        raise TableError(
            f"The trees of the match need {library}, which can't be loaded here: {error}. Install what it lacks "
            "(on Debian: libgomp1), or train without them: --trees 0."
        ) from error
