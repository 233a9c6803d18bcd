"""The model: arrays, memory-mapped from an artefact, so that all workers of a machine share one copy."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from hakken.errors import ArtefactCorrupt
from hakken.files import unread
from hakken.model.manifest import WITH_ATTRIBUTES, WITH_FACTORS, WITH_TREES, Manifest
from hakken.model.store import Artefact
from hakken.model.trees import FEATURES, MAX_TREES, N_LISTS, N_SPLITS, Trees, no_trees

Array = npt.NDArray[Any]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
UInt16s = npt.NDArray[np.uint16]
Int16s = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]
Found = tuple[Int64s, Bools]
"""`(n,)` positions, meaningful where the second, `(n,)` bool, says that what was looked for is there."""

QUANTA = 2**16 - 1
"""A stored value of this much is its row's strongest similarity."""
FEW_WATCHERS = 20.0
"""Added to a title's watchers in a model of schema 3: it smooths the popularity of titles with few of them."""
MIN_TITLES = 60
"""Least number of watched titles with an attribute; rarer attributes are ignored."""
UNPACK_POWER = 1.25
"""Quantisation steps grow with the similarity: 1e-6 near 0, to keep the relative error low, 2e-5 near 1."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """The arrays of a model; on disk, each is a `.npy` file of its field's name.

    Rows are inner indices `i`; `anime_ids` gives each row's MyAnimeList id. Neighbours are a CSR matrix:
    row `i` is `sim_indptr[i]:sim_indptr[i + 1]`, its entries ordered by falling similarity, and

        sim_ij = sim_scale[i] · sim_values[p]^(5/4)

    which keeps 16 bits within 1e-5 of the exact similarity; a scale per row cancels out of a weighted mean.

    Attributes:
        anime_ids: `(n_items,)` int32, ascending.
        b_i: `(n_items,)` float64, item biases, score points.
        raters: `(n_items,)` int32, how many training users scored the anime.
        sim_indptr: `(n_items + 1,)` int64, where each row begins.
        sim_indices: `(n_neighbours,)` uint16, or int32 where there are more than 65,536 items: inner index `j`.
        sim_values: `(n_neighbours,)` uint16, packed similarity, see `unpack`.
        sim_scale: `(n_items,)` float32, similarity of a packed 1.
        sim_support: `(n_neighbours,)` uint16, or int32 where an anime has more than 65,535 raters and a pair might
            too: n_ij, how many training users scored both. No prediction reads it: it is paged in when an anime is
            looked at.
        watchers: `(n_items,)` int32, how many training users watched the anime, scored or not.
        popularity: `(n_items,)` float32, q_i: the part of those who could have watched the anime that did, see
            docs/time.md.
        pref_indptr: `(n_items + 1,)` int64, where each row of the preference weights begins; a row is what was watched.
        pref_indices: `(n_weights,)`, of `sim_indices`' type: the titles `i` that the weights are for.
        pref_values: `(n_weights,)` int16, packed weights, `w_ji = pref_scale[i] · pref_values[p]`.
        pref_scale: `(n_items,)` float32, weight of a packed 1, of each title `i`.
        attr_share: `(n_items,)` float32, c_i, weight of the attributes of each title `i`; 0 where they have none.
        attr_indptr: `(n_items + 1,)` int64, where the attributes of each title begin; none where `attr_share` is 0.
        attr_indices: `(n_attributes_of_titles,)` uint16, the attributes of each title, ascending.
        attr_rows: `(n_items,)` int32, row of each watched anime in `attr_values`; -1 for one that has none.
        attr_values: `(n_rows, n_attributes)` int8, packed weights of a watched title `j` for an
            attribute, `v_ja = attr_scale[a] · attr_values[attr_rows[j], a]`; see `hakken.model.preference`.
        attr_scale: `(n_attributes,)` float32, what a packed 1 is, of each attribute.
        factors: `(n_items, n_factors)` int8, packed factors, `y_i = factor_scale[i] · factors[i]`; see
            `hakken.model.factors`.
        factor_scale: `(n_items,)` float32, what a packed 1 is, of each title; 0 where it has no factors.
        tree_features: `(2, n_trees, 3)` uint8, the feature that each split compares, a place among
            `Manifest.features`; see `hakken.model.trees`. The first trees are for lists of all titles, the second for
            those without begun series.
        tree_borders: `(2, n_trees, 3)` float64, what it is compared with; infinite where a tree has fewer splits.
        tree_parts: `(2, n_trees, 8, 3)` float64, what each split adds to the logarithm of the match.
    """

    anime_ids: Int32s
    b_i: Float64s
    raters: Int32s
    sim_indptr: Int64s
    sim_indices: Array
    sim_values: UInt16s
    sim_scale: Float32s
    sim_support: Array
    watchers: Int32s
    popularity: Float32s
    pref_indptr: Int64s
    pref_indices: Array
    pref_values: Int16s
    pref_scale: Float32s
    attr_share: Float32s
    attr_indptr: Int64s
    attr_indices: Array
    attr_rows: Int32s
    attr_values: Array
    attr_scale: Float32s
    factors: Int8s
    factor_scale: Float32s
    tree_features: npt.NDArray[np.uint8]
    tree_borders: Float64s
    tree_parts: Float64s

    def save(self, directory: Path) -> None:
        """Write one `.npy` file for each array."""
        for name in self.__dataclass_fields__:
            np.save(directory / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, artefact: Artefact) -> Self:
        """Map the arrays of a verified artefact into memory, read-only.

        Raises:
            ArtefactCorrupt: one is missing, is not an array of its type, or they don't fit together.
            StorageError: one can't be read just now.
        """
        later = _of_later_schemas(artefact)
        names = [name for name in cls.__dataclass_fields__ if name not in later]
        arrays = cls(**{name: _map(artefact.path(f"{name}.npy")) for name in names}, **later)
        problem = arrays.problem()
        if problem is None and (arrays.tree_features >= len(artefact.manifest.features)).any():
            problem = "tree_features point past the manifest's features"
        if problem:
            raise ArtefactCorrupt(f"The model in {artefact.directory} can't be used: {problem}.")
        return arrays

    def problem(self) -> str | None:
        """The first inconsistency in types, shapes or values, if there is one."""
        n, n_neighbours, n_weights = self.anime_ids.size, self.sim_indices.size, self.pref_indices.size
        n_attributes, index, support = self.attr_scale.size, index_type(n), self.sim_support.dtype.name
        n_trees = self.tree_features.size // (N_LISTS * N_SPLITS)
        wanted: dict[str, tuple[str, tuple[int, ...]]] = {
            **dict.fromkeys(("anime_ids", "raters", "watchers", "attr_rows"), ("int32", (n,))),
            **dict.fromkeys(("popularity", "sim_scale", "pref_scale", "attr_share", "factor_scale"), ("float32", (n,))),
            **dict.fromkeys(("sim_indptr", "pref_indptr", "attr_indptr"), ("int64", (n + 1,))),
            "b_i": ("float64", (n,)),
            "sim_indices": (index, (n_neighbours,)),
            "sim_values": ("uint16", (n_neighbours,)),
            "sim_support": (support if support == "int32" else "uint16", (n_neighbours,)),  # either will do
            "pref_indices": (index, (n_weights,)),
            "pref_values": ("int16", (n_weights,)),
            "attr_indices": ("uint16", (self.attr_indices.size,)),
            "attr_values": ("int8", (*self.attr_values.shape[:1], n_attributes)),
            "attr_scale": ("float32", (n_attributes,)),
            "factors": ("int8", (n, *self.factors.shape[1:2])),
            "tree_features": ("uint8", (N_LISTS, n_trees, N_SPLITS)),
            "tree_borders": ("float64", (N_LISTS, n_trees, N_SPLITS)),
            "tree_parts": ("float64", (N_LISTS, n_trees, 2**N_SPLITS, N_SPLITS)),
        }
        for name in self.__dataclass_fields__:
            array, (dtype, shape) = getattr(self, name), wanted[name]
            if array.dtype != dtype or array.shape != shape:
                return f"{name} is {array.dtype}{array.shape}, not {dtype}{shape}"
        return self._problem_of_values()

    def _problem_of_values(self) -> str | None:
        """The same for arrays of the right types and shapes."""
        ids, attr_rows, n_items = self.anime_ids, self.attr_rows, len(self.anime_ids)
        problems = {
            "anime_ids are not ascending": not (ids[1:] > ids[:-1]).all(),
            "anime_ids are not positive": not (ids > 0).all(),
            "attr_rows point past attr_values": ((attr_rows < -1) | (attr_rows >= len(self.attr_values))).any(),
            "popularity is not positive": not (self.popularity > 0).all(),
            "factor_scale is above 1": (self.factor_scale > 1).any(),  # with 10^38, no visitor could be folded in
            "tree_borders are not numbers": np.isnan(self.tree_borders).any(),
            "tree_parts are not finite": not np.isfinite(self.tree_parts).all(),
            "tree_parts add up to too much": not _bounded(self.tree_parts),
        }
        for name, n_columns in (("sim", n_items), ("pref", n_items), ("attr", len(self.attr_scale))):
            indptr, indices = getattr(self, f"{name}_indptr"), getattr(self, f"{name}_indices")
            # Compared, not subtracted: differences of values that are far apart wrap around.
            cuts = indptr[0] == 0 and indptr[-1] == len(indices) and (indptr[1:] >= indptr[:-1]).all()
            past = bool(indices.size) and (indices.min() < 0 or indices.max() >= n_columns)
            long = cuts and (np.diff(indptr) > n_columns).any()
            problems[f"{name}_indptr does not cut {name}_indices into rows"] = not cuts
            problems[f"{name}_indices point past the last column"] = past
            problems[f"a row of {name}_indices is longer than there are columns"] = long
        for name in ("b_i", "popularity", "sim_scale", "pref_scale", "attr_share", "attr_scale", "factor_scale"):
            values = getattr(self, name)
            problems[f"{name} is not finite"] = not np.isfinite(values).all()
            problems[f"{name} is negative"] = name != "b_i" and (values < 0).any()
        return next((problem for problem, found in problems.items() if found), None)


@dataclass(frozen=True, eq=False)
class Model:
    """Arrays, the manifest that describes them, and the artefact's version."""

    arrays: Arrays
    manifest: Manifest
    version: str

    @cached_property
    def weights(self) -> Float32s:
        """`(65536,)` float32: the weight `sim^amplification` of a packed similarity, in units of its row's strongest.

        A table of all packed values, which stays in cache, is ten times faster than computing powers.
        """
        packed = unpack(np.arange(QUANTA + 1, dtype=np.uint16)) / STRONGEST
        return (packed**self.manifest.parameters.amplification).astype(np.float32)

    @cached_property
    def row_priors(self) -> Float64s:
        """`(n_items,)` float64: the prior of the weighted mean, in units of each row's weights."""
        parameters = self.manifest.parameters
        unit = (STRONGEST * self.arrays.sim_scale.astype(np.float64)) ** parameters.amplification
        return np.divide(parameters.prior, unit, out=np.zeros(self.n_items), where=unit > 0)

    @cached_property
    def popularity(self) -> Float64s:
        """`(n_items,)` float64: q_i, see `Arrays.popularity`."""
        return self.arrays.popularity.astype(np.float64)

    @cached_property
    def log_popularity(self) -> Float64s:
        """`(n_items,)` float64: natural logarithm of `popularity`, of which every request computes a power."""
        return np.log(self.popularity)

    @cached_property
    def trend_covariates(self) -> Float64s:
        """`(n_items, 3)` float64: z_i of each anime, see `hakken.model.prediction`."""
        places = np.arange(self.n_items) / self.n_items
        return np.column_stack((self.arrays.b_i, self.log_popularity / 2, 2 * places))

    @cached_property
    def standing(self) -> Float64s:
        """`(n_items,)` float64: the factor of each anime's popularity and bias on its match, the same for all visitors.

        q_i^−novelty · exp(quality · b_i), see `hakken.recommend.scoring`.
        """
        parameters = self.manifest.parameters
        return np.exp(parameters.quality * self.arrays.b_i - parameters.novelty * self.log_popularity)

    @cached_property
    def sim_windows(self) -> Array:
        """Views of `sim_indices`, as wide as its widest row, beginning at each entry: `(n_windows, width)`, no copy."""
        return sliding_window_view(self.arrays.sim_indices, int(np.diff(self.arrays.sim_indptr).max(initial=0)))

    @cached_property
    def weights_by_title(self) -> tuple[Int64s, Array, Int16s]:
        """The preference weights as CSR of which a row is the title `i`; computed on first access, in 50 ms.

        `(n_items + 1,)` int64, where each title's begin; `(n_weights,)`, of `pref_indices`' type, watched titles `j`,
        ascending within a title; `(n_weights,)` int16, packed as `pref_values`.
        """
        arrays = self.arrays
        order = np.argsort(arrays.pref_indices, kind="stable")
        rows = np.arange(self.n_items, dtype=arrays.pref_indices.dtype)
        watched = np.repeat(rows, np.diff(arrays.pref_indptr))[order]
        lengths = np.bincount(arrays.pref_indices, minlength=self.n_items)
        return np.concatenate(([0], np.cumsum(lengths))), watched, arrays.pref_values[order]

    @cached_property
    def by_attributes(self) -> tuple[Int64s, tuple[Int64s, ...]]:
        """The attributes of titles, columns of `attr_values`, of those titles first that have most of them.

        The place of each title in that order, `(n_items,)` int64, one behind the last for a title without attributes;
        and the first attribute of each title, then the second of those that have two, and so on: `(n_j,)` int64 each. A
        few long sums are three times faster than many short ones.
        """
        arrays = self.arrays
        lengths = np.diff(arrays.attr_indptr)
        rows = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        lengths, begins = lengths[rows], arrays.attr_indptr[rows]
        nth = (begins[lengths > j] + j for j in range(lengths.max(initial=0)))
        places = np.full(self.n_items, len(rows))
        places[rows] = np.arange(len(rows))
        return places, tuple(arrays.attr_indices[positions].astype(np.int64) for positions in nth)

    @cached_property
    def mostly_by_attributes(self) -> Bools:
        """`(n_items,)` bool: the titles whose weights come at least half from attributes."""
        arrays, support = self.arrays, self.manifest.parameters.attribute_support
        return (arrays.attr_share > 0) & (arrays.watchers <= support)

    @cached_property
    def trees(self) -> tuple[Trees, ...]:
        """The trees of lists of all titles, and of lists without begun series, as they are evaluated."""
        arrays, places = self.arrays, {name: place for place, name in enumerate(FEATURES)}
        ours = np.array([places[name] for name in self.manifest.features], dtype=np.uint8)
        features = ours[arrays.tree_features]
        return tuple(map(Trees.of, features, arrays.tree_borders, arrays.tree_parts))

    @cached_property
    def factor_products(self) -> Float64s:
        """`(n_factors, n_factors)` float64: Σ_i y_i y_iᵀ."""
        factors = self.factors_of(slice(None))
        return np.asarray(factors.T @ factors)

    def factors_of(self, rows: Int64s | slice) -> Float64s:
        """y_i of some titles, `(n,)` inner indices: `(n, n_factors)` float64."""
        scale = self.arrays.factor_scale[rows].astype(np.float64)
        return np.asarray(scale[:, np.newaxis] * self.arrays.factors[rows])

    @property
    def mu(self) -> float:
        """Mean of all training ratings, score points."""
        return self.manifest.mu

    @property
    def n_items(self) -> int:
        """How many anime have a row."""
        return len(self.arrays.anime_ids)

    @cached_property
    def _ids(self) -> Int64s:
        """`(n_items,)`: `Arrays.anime_ids` in the type of what is looked up; else each search would convert them."""
        return self.arrays.anime_ids.astype(np.int64)

    def rows_of(self, anime_ids: npt.ArrayLike) -> Found:
        """Find inner indices of anime, `(n,)` MyAnimeList ids, and which of them the model knows."""
        return look_up(self._ids, np.asarray(anime_ids, dtype=np.int64))

    def learnt_rows_of(self, anime_ids: npt.ArrayLike) -> Found:
        """The same, of anime that the model learnt from users; any other is new to it.

        New are anime without a row, and those that no training user watched or scored.
        """
        rows, learnt = self.rows_of(anime_ids)
        # A user who scores a planned title is a rater, but no watcher.
        learnt[learnt] = (self.arrays.watchers[rows[learnt]] > 0) | (self.arrays.raters[rows[learnt]] > 0)
        return rows, learnt

    def informative_rows_of(self, anime_ids: npt.ArrayLike) -> Found:
        """The same, of anime that have weights for other titles, since enough users watched them."""
        rows, informative = self.rows_of(anime_ids)
        found, arrays = rows[informative], self.arrays
        has_weights = arrays.pref_indptr[found + 1] > arrays.pref_indptr[found]
        informative[informative] = has_weights | (arrays.attr_rows[found] >= 0)
        return rows, informative


def unpack(values: UInt16s) -> Float64s:
    """Unpack similarities, in units of their row's scale: `q^(5/4)`, shape as given."""
    quanta = values.astype(np.float64)
    return quanta * np.sqrt(np.sqrt(quanta))  # ten times faster than a general power


STRONGEST = float(unpack(np.array([QUANTA], dtype=np.uint16))[0])
"""A row's strongest similarity, in units of its scale."""


def look_up(ids: Array, wanted: Int64s) -> Found:
    """Find some ids, `(n,)`, among others, ascending."""
    positions = np.searchsorted(ids, wanted).astype(np.int64)
    positions[positions == len(ids)] = 0
    return positions, ids[positions] == wanted if len(ids) else np.zeros(len(wanted), dtype=np.bool_)


def gather(indptr: Int64s, rows: Int64s) -> tuple[Int64s, Int64s]:
    """Select some rows, `(n,)`, of a CSR matrix.

    Returns:
        The selection's own `indptr`, `(n + 1,)`, and the position of each of its entries in the whole matrix.
    """
    lengths = indptr[rows + 1] - indptr[rows]
    cut = np.concatenate(([0], np.cumsum(lengths)))
    return cut, np.arange(cut[-1]) + np.repeat(indptr[rows] - cut[:-1], lengths)


def index_type(n_items: int) -> str:
    """The smallest type that holds any inner index."""
    return "uint16" if n_items <= QUANTA + 1 else "int32"


def _bounded(tree_parts: Float64s) -> bool:
    """Whether the trees of no kind of list can add up to more than `MAX_TREES`; rounding is allowed for."""
    leaves = np.abs(tree_parts.sum(axis=3)).max(axis=2)
    return bool((leaves.sum(axis=1) <= 1.001 * MAX_TREES).all())


def _of_later_schemas(artefact: Artefact) -> dict[str, Array]:
    """The arrays that an earlier schema lacks, such that its models are served as before."""
    if artefact.manifest.schema_version >= WITH_FACTORS:
        return {}
    watchers = _map(artefact.path("watchers.npy"))
    n_items = watchers.size
    arrays: dict[str, Array] = {
        "factors": np.zeros((n_items, 0), dtype=np.int8),
        "factor_scale": np.zeros(n_items, dtype=np.float32),
    }
    if artefact.manifest.schema_version < WITH_TREES:
        arrays |= no_trees()
    if artefact.manifest.schema_version < WITH_ATTRIBUTES:
        arrays |= {
            "popularity": ((watchers + FEW_WATCHERS) / max(1, artefact.manifest.sizes.users)).astype(np.float32),
            "attr_share": np.zeros(n_items, dtype=np.float32),
            "attr_indptr": np.zeros(n_items + 1, dtype=np.int64),
            "attr_indices": np.zeros(0, dtype=np.uint16),
            "attr_rows": np.full(n_items, -1, dtype=np.int32),
            "attr_values": np.zeros((0, 0), dtype=np.int8),
            "attr_scale": np.zeros(0, dtype=np.float32),
        }
    return arrays


def _map(path: Path) -> Array:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise unread(f"The model's file {path}", error) from error
    except (ValueError, EOFError) as error:
        raise ArtefactCorrupt(f"The model's file {path} can't be read: {error}.") from error
    # A plain view: indexing a memmap creates a Python-level subclass object each time.
    return np.asarray(array)
