"""Variety: re-rank a list so that its titles are less alike.

    next = argmax_i ( ln match_i − WEIGHT · variety · max_{j chosen} s_ij )

Maximal marginal relevance: Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering documents
and producing summaries" (SIGIR 1998). s_ij is the similarity of two titles, of how people scored them or, where that
says less, of their genres.
"""

from collections.abc import Callable

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model.arrays import Float32s, Float64s, Int64s, unpack

WEIGHT = 3.0
"""How much two equal titles lower each other's ln match, with the greatest variety."""
OF_GENRES = 0.5
"""How much equal genres say, beside a similarity of 1 of how people scored."""
LEAST_MATCH = 1e-9


class Alike:
    """Similarities s_ij of some titles, `(n,)` inner indices."""

    def __init__(self, bundle: ModelBundle, rows: Int64s) -> None:
        self._arrays, self._rows = bundle.model.arrays, rows
        self._genres = bundle.facts.genre_vectors[rows]
        self._position = np.full(bundle.model.n_items, len(rows))  # of all other titles: behind the last one
        self._position[rows] = np.arange(len(rows))

    def to(self, at: int) -> Float32s:
        """Similarity of each title to the one at a position, `(n,)` float32, from 0 to 1."""
        arrays, row = self._arrays, self._rows[at]
        stored = slice(arrays.sim_indptr[row], arrays.sim_indptr[row + 1])
        alike = np.zeros(len(self._rows) + 1, dtype=np.float32)
        alike[self._position[arrays.sim_indices[stored]]] = arrays.sim_scale[row] * unpack(arrays.sim_values[stored])
        return np.asarray(np.maximum(alike[:-1], OF_GENRES * (self._genres @ self._genres[at])))


def varied(score: Float64s, alike: Callable[[int], Float32s], variety: float, n: int) -> Int64s:
    """Choose `n` of some titles, or all.

    Args:
        score: `(n_titles,)`, matches.
        alike: similarity of each title to the one at a position, `(n_titles,)`.
        variety: the visitor's choice, 0-1.
        n: how many.

    Returns:
        `(n,)` int64, positions in the order in which they are shown; of equal ones the lower position first.
    """
    left = np.log(score.clip(LEAST_MATCH))
    nearest = np.zeros(len(score), dtype=np.float32)
    chosen = np.empty(min(n, len(score)), dtype=np.int64)
    for place in range(len(chosen)):
        best = int(np.argmax(left - WEIGHT * variety * nearest))
        chosen[place], left[best] = best, -np.inf
        np.maximum(nearest, alike(best), out=nearest)
    return chosen
