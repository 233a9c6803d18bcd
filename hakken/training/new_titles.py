"""Rows for titles that a trained model lacks, as training gives them to titles that are on no list.

    n_i = 0,  b_i = 0,  q_i = m · q̂_i / (N_i + m),  c_i = q_i,  w_ji = q_i · g / √m_i  for each watched j of i's series

The formulas are those of `hakken.training.reach` and `hakken.training.attributes`; what they fitted is in the manifest.
Other rows keep their values: m_i counts a new title too, so training with it would change g, and the weights of
unwatched titles of its series, a little.
"""

import dataclasses
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.sparse import csr_array, diags_array

from hakken.catalogue import Catalogue
from hakken.errors import ArtefactCorrupt
from hakken.model.arrays import Array, Arrays, Int64s, index_type
from hakken.model.manifest import Manifest
from hakken.training.attributes import attributes_of, judged_by_attributes, siblings_of
from hakken.training.preferences import facts_of, packed_weights
from hakken.training.reach import popularity, reach


class _Rows(NamedTuple):
    """Where a model's rows are once new ones are among them: the old, the new, and how many there are in all."""

    old: Int64s
    new: Int64s
    n: int

    def spread(self, old: Array, new: Array | int = 0) -> Array:
        """Values of all rows, `(n, …)`, of the old ones' type."""
        values = np.empty((self.n, *old.shape[1:]), dtype=old.dtype)
        values[self.old], values[self.new] = old, new
        return values

    def indptr(self, old: Int64s, new: Array | int = 0) -> Int64s:
        """Where each row begins, `(n + 1,)`, from where the old ones began and the lengths of the new."""
        return np.concatenate(([0], np.cumsum(self.spread(np.diff(old), new))))

    def placed(self, matrix: csr_array) -> csr_array:
        """A matrix of which all rows are new, `(n_new, m)`, as one of all rows, `(n, m)`."""
        indptr = self.indptr(np.zeros(len(self.old) + 1, dtype=np.int64), np.diff(matrix.indptr))
        return csr_array((matrix.data, matrix.indices, indptr), shape=(self.n, matrix.shape[1]))


def with_new_titles(arrays: Arrays, manifest: Manifest, catalogue: Catalogue) -> tuple[Arrays, Manifest]:
    """Add a row for each title of a catalogue that may be recommended by its attributes and has none.

    A model without `Manifest.unwatched` stays as it is.

    Raises:
        ArtefactCorrupt: the manifest names more or fewer attributes than the arrays have.
    """
    known, added = manifest.unwatched, np.setdiff1d(judged_by_attributes(catalogue), arrays.anime_ids)
    if known is None or not len(added):
        return arrays, manifest
    if len(known.attributes) != len(arrays.attr_scale):
        told = f"{len(known.attributes)} attributes, and its arrays have {len(arrays.attr_scale)}"
        raise ArtefactCorrupt(f"The model can't get new titles: its manifest names {told}.")
    ids = np.union1d(arrays.anime_ids, added)
    rows = _Rows(np.searchsorted(ids, arrays.anime_ids), np.searchsorted(ids, added), len(ids))
    year, members, series = facts_of(ids, catalogue)
    nobody = np.zeros(len(added), dtype=np.int32)
    reachable = reach(np.array(known.lists, dtype=np.int64).reshape(-1, 2).T, year[rows.new], nobody)
    popular = popularity(nobody, reachable, members[rows.new], known.popularity)
    watched = rows.old[arrays.watchers >= manifest.parameters.min_watchers]
    siblings = siblings_of(series)[rows.new][:, watched]
    weights = diags_array(popular.astype(np.float64) * known.of_siblings) @ siblings
    whole = dataclasses.replace(
        arrays,
        anime_ids=ids,
        **{name: rows.spread(getattr(arrays, name)) for name in ("b_i", "raters", "watchers", "sim_scale")},
        sim_indptr=rows.indptr(arrays.sim_indptr),
        sim_indices=rows.old[arrays.sim_indices].astype(index_type(len(ids))),
        popularity=rows.spread(arrays.popularity, popular),
        **_preferences(arrays, rows, weights, watched),
        attr_share=rows.spread(arrays.attr_share, popular),
        **_attributes(arrays, rows, attributes_of(added, catalogue, known.attributes)),
        attr_rows=rows.spread(arrays.attr_rows, -1),
        factors=rows.spread(arrays.factors),
        factor_scale=rows.spread(arrays.factor_scale),
    )
    sizes = msgspec.structs.replace(manifest.sizes, preferences=len(whole.pref_indices))
    return whole, msgspec.structs.replace(manifest, sizes=sizes)


def _preferences(arrays: Arrays, rows: _Rows, weights: csr_array, watched: Int64s) -> dict[str, Array]:
    """The arrays `pref_*` with weights of the new titles, `(n_new, n_watched)`; columns are the rows `watched`."""
    new, shape = packed_weights(rows.placed(weights), watched), (rows.n, rows.n)
    old = arrays.pref_values, rows.old[arrays.pref_indices], rows.indptr(arrays.pref_indptr)
    added = new["pref_values"], new["pref_indices"], new["pref_indptr"]
    both = csr_array(old, shape=shape) + csr_array(added, shape=shape)
    return {
        "pref_indptr": both.indptr.astype(np.int64),
        "pref_indices": both.indices.astype(index_type(rows.n)),
        "pref_values": both.data,
        "pref_scale": rows.spread(arrays.pref_scale, new["pref_scale"][rows.new]),
    }


def _attributes(arrays: Arrays, rows: _Rows, attributes: csr_array) -> dict[str, Array]:
    """The arrays `attr_indptr` and `attr_indices` with attributes of the new titles, `(n_new, n_attributes)`."""
    old = np.ones(len(arrays.attr_indices)), arrays.attr_indices, rows.indptr(arrays.attr_indptr)
    both = csr_array(old, shape=(rows.n, attributes.shape[1])) + rows.placed(attributes)
    return {"attr_indptr": both.indptr.astype(np.int64), "attr_indices": both.indices.astype(np.uint16)}
