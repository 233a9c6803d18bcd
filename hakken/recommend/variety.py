"""Variety: re-rank a list so that its titles are less alike.

    next = argmax_i ( ln match_i − WEIGHT · variety · max_{j chosen} s_ij )

Maximal marginal relevance: Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering documents
and producing summaries" (SIGIR 1998). s_ij is the similarity of two titles, of how people scored them or, where that
says less, of their genres.
"""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model.arrays import Float64s, Int64s, gather, unpack

WEIGHT = 2.0
"""How much two equal titles lower each other's ln match, with the greatest variety."""
OF_GENRES = 0.5
"""How much equal genres say, beside a similarity of 1 of how people scored."""
LEAST_MATCH = 1e-9


def similarities(bundle: ModelBundle, rows: Int64s) -> Float64s:
    """s_ij of some titles, `(n,)` inner indices: `(n, n)` float64 from 0 to 1, symmetric."""
    arrays, n = bundle.model.arrays, len(rows)
    genres = bundle.facts.genre_vectors[rows]
    alike = OF_GENRES * (genres @ genres.T).astype(np.float64)
    position = np.full(bundle.model.n_items, -1)
    position[rows] = np.arange(n)
    cut, entries = gather(arrays.sim_indptr, rows)
    other = position.take(arrays.sim_indices.take(entries))
    found = np.flatnonzero(other >= 0)
    one, other = np.searchsorted(cut, found, side="right") - 1, other[found]
    sim = arrays.sim_scale[rows[one]] * unpack(arrays.sim_values[entries[found]])
    alike[one, other] = np.maximum(alike[one, other], sim)
    return np.maximum(alike, alike.T)


def varied(score: Float64s, alike: Float64s, variety: float, n: int) -> Int64s:
    """Choose `n` of some titles, or all.

    Args:
        score: `(n_titles,)`, matches.
        alike: `(n_titles, n_titles)`, s_ij.
        variety: the visitor's choice, 0-1.
        n: how many.

    Returns:
        `(n,)` int64, positions in the order in which they are shown; of equal ones the lower position first.
    """
    left = np.log(score.clip(LEAST_MATCH))
    nearest = np.zeros(len(score))
    chosen = np.empty(min(n, len(score)), dtype=np.int64)
    for place in range(len(chosen)):
        best = int(np.argmax(left - WEIGHT * variety * nearest))
        chosen[place], left[best] = best, -np.inf
        np.maximum(nearest, alike[best], out=nearest)
    return chosen
