"""Preference weights from attributes, which predict who wants a title before anyone has rated it.

If many people watched a title, its weights w_·i are known. A ridge regression predicts them from attributes:

    V = argmin Σ_i n_i ‖w_·i / q_i − Vᵀ a_i‖² + λ ‖V‖²  =  (AᵀNA + λI)⁻¹ AᵀN (W / q)ᵀ
    g = Σ n_i e_ji / √m_i  /  Σ n_i / m_i  over pairs j ≠ i of one series,  e_·i = w_·i / q_i − Vᵀ a_i

a_i are a title's attributes, 0 or 1: genres, tags, studios, source material, type, a span of years, and one that all
have. n_i people watched it, weights are relative to its popularity q_i, and m_i is the number of other titles of its
series. The weights of every title are then mixed by support,

    w_ji ← s_i · w_ji + (1 − s_i) · q_i · (v_j · a_i + g / √m_i · [j, i of one series])
    s_i = n_i / (n_i + attribute_support)

so a title that nobody watched has weights from its attributes only, and each watcher moves it away from them smoothly.
The idea is that of regression-based latent factor models (Agarwal & Chen, KDD 2009), with weights in place of latent
factors.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from scipy.sparse import csr_array

from hakken.catalogue import Anime, Catalogue
from hakken.model.arrays import MIN_TITLES, Array, Float32s, Float64s, Int32s, Int64s

LEAST_SHARE = 0.02
"""Attributes that determine a smaller share of a title's weights are left out; the effect is negligible."""
PAIRS_AT_ONCE = 50_000
"""Pairs of titles of one series; each takes as much memory as there are attributes."""
YEARS = 3
"""Length in years of the span that is one attribute; it begins at a multiple."""
NOT_SHOWS = frozenset({"Music", "CM", "PV"})
RETELLINGS = frozenset({"recap", "recaps", "soushuuhen", "digest", "compilation", "summary", "highlights"})
"""Words in the names of titles that retell another."""
RETOLD = "Summary"


def judged_by_attributes(catalogue: Catalogue) -> Int32s:
    """Ids of the anime that may be recommended by their attributes, ascending.

    Titles without a genre, titles for adults, music videos, commercials, promotional clips and retellings are left out.
    """
    related = chain.from_iterable(one.relations or () for one in catalogue.values())
    retellings = {other.anime_id for other in related if other.likely and other.relation == RETOLD}
    chosen = [
        one.anime_id
        for one in catalogue.values()
        if one.genres and not one.adult and one.type not in NOT_SHOWS and one.anime_id not in retellings
        if not RETELLINGS & set(f"{one.title} {one.title_english or ''}".lower().replace(":", " ").split())
    ]
    return np.array(chosen, dtype=np.int32)


def frequent_attributes(anime_ids: Int32s, catalogue: Catalogue) -> tuple[str, ...]:
    """Names of the attributes that at least `MIN_TITLES` of some items have, in order."""
    counts = Counter(chain.from_iterable({*_attributes(catalogue.anime(one))} for one in anime_ids.tolist()))
    return tuple(sorted(name for name, n in counts.items() if n >= MIN_TITLES))


def attributes_of(anime_ids: Int32s, catalogue: Catalogue, names: Sequence[str]) -> csr_array:
    """Collect the attributes of items, of those with a name in `names`.

    Returns:
        A, `(n_items, n_attributes)` float64 CSR, columns in the order of the names.
    """
    columns = {name: at for at, name in enumerate(names)}
    named = ({*_attributes(catalogue.anime(anime_id))} for anime_id in anime_ids.tolist())
    rows = [sorted(columns[name] for name in its if name in columns) for its in named]
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=indptr[-1])
    return csr_array((np.ones(len(indices)), indices, indptr), shape=(len(rows), len(columns)))


def _attributes(anime: Anime) -> Iterator[str]:
    yield "any"
    named: dict[str, Sequence[object]] = {"genre": anime.genres, "tag": anime.tags, "studio": anime.studios}
    named |= {"made from": (anime.made_from,), "type": (anime.type,), "years": (anime.year and anime.year // YEARS,)}
    yield from (f"{kind} {name}" for kind, names in named.items() for name in names if name)


def siblings_of(series: Int64s) -> csr_array:
    """Titles of the same series: `(n_items, n_items)` CSR, 1/√m_i at j in row i, for m_i others in i's series."""
    n_items = len(series)
    series_of = np.unique(series, return_inverse=True)[1]
    members = csr_array((np.ones(n_items), (np.arange(n_items), series_of)), shape=(n_items, n_items))
    pairs = (members @ members.T).tocsr()
    pairs.setdiag(0.0)
    pairs.eliminate_zeros()
    pairs.sort_indices()
    lengths = np.diff(pairs.indptr)
    pairs.data = np.repeat(1.0 / np.sqrt(lengths.clip(1)), lengths)
    return pairs


class AttributeFit:
    """Accumulates the sums of the regression, block by block of titles, and solves it.

    All are of the titles that have weights: A, `(n, n_attributes)`, their `siblings_of`, n_i and q_i, `(n,)`.
    """

    def __init__(self, attributes: csr_array, siblings: csr_array, watchers: Int32s, popularity: Float32s) -> None:
        self._attributes, self._siblings = attributes, siblings
        self._watchers, self._popularity = watchers.astype(np.float64), popularity.astype(np.float64)
        self._products = np.zeros(attributes.shape[::-1], dtype=np.float32)
        self._of_siblings = np.zeros(siblings.nnz)

    def add(self, first: int, weights: Float64s) -> None:
        """Add a block: row k of `weights`, `(n_block, n)` float64, has the weights of title `first + k`."""
        last = first + len(weights)
        relative = weights / self._popularity[first:last, np.newaxis]
        watchers = self._watchers[first:last, np.newaxis]
        block = self._attributes[first:last]
        self._products += (block.T @ (watchers * relative)).astype(np.float32)
        begin, end = self._siblings.indptr[first], self._siblings.indptr[last]
        rows = np.repeat(np.arange(last - first), np.diff(self._siblings.indptr[first : last + 1]))
        self._of_siblings[begin:end] = relative[rows, self._siblings.indices[begin:end]]

    def solve(self, regulariser: float) -> tuple[Float32s, float]:
        """V, `(n_attributes, n)` float32, and g."""
        weighted = self._attributes.multiply(self._watchers[:, np.newaxis])
        system = (self._attributes.T @ weighted).toarray()
        system[np.diag_indices_from(system)] += regulariser
        solved = np.linalg.solve(system, self._products).astype(np.float32)
        pairs = self._siblings.tocoo()
        if not pairs.nnz:
            return solved, 0.0
        expected = np.empty(pairs.nnz)
        for begin in range(0, pairs.nnz, PAIRS_AT_ONCE):
            some = slice(begin, begin + PAIRS_AT_ONCE)
            by_title = self._attributes[pairs.row[some]]
            expected[some] = by_title.multiply(solved.T[pairs.col[some]]).sum(axis=1)
        watchers = self._watchers[pairs.row]
        above = float((watchers * (self._of_siblings - expected) * pairs.data).sum())
        return solved, max(0.0, above / float((watchers * pairs.data**2).sum()))


def mixing(watchers: Int32s, popularity: Float32s, eligible: Array, support: float) -> tuple[Float64s, Float64s]:
    """Share of each item's own weights, s_i, and factor of those from attributes, (1 − s_i) q_i.

    They are 1 and 0 if an item may not be recommended by attributes, or if the share of attributes is negligible. Items
    may be recommended by attributes if they are `eligible`, `(n_items,)` bool.

    Returns:
        Two arrays, `(n_items,)` float64.
    """
    own = watchers / (watchers + support)
    own[~eligible | (1.0 - own < LEAST_SHARE)] = 1.0
    return own, (1.0 - own) * popularity


def packed(share: Float32s, attributes: csr_array, solved: Float32s, kept: Int64s) -> dict[str, Array]:
    """Pack V into 8 bits, each attribute's by its strongest, and leave out the attributes of items with share 0.

    V's columns are the items `kept`; `share` is that of `mixing`.

    Returns:
        The arrays `attr_*` of `hakken.model.arrays.Arrays`, by name.
    """
    lengths, has_share = np.diff(attributes.indptr), share > 0
    largest = np.abs(solved).max(axis=1, initial=0.0)
    scale = np.where(largest > 0, largest / np.iinfo(np.int8).max, 1.0).astype(np.float32)
    rows = np.full(len(share), -1, dtype=np.int32)
    rows[kept] = np.arange(len(kept))
    return {
        "attr_share": share,
        "attr_indptr": np.concatenate(([0], np.cumsum(lengths * has_share))).astype(np.int64),
        "attr_indices": attributes.indices[np.repeat(has_share, lengths)].astype(np.uint16),
        "attr_rows": rows,
        "attr_values": np.rint(solved / scale[:, np.newaxis]).T.astype(np.int8, order="C"),
        "attr_scale": scale,
    }
