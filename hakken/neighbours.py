"""Neighbours and ranks of one anime. Pure: no file, no network, no clock.

*Nearest* anime are found by `sim`, from how people scored; *also liked* ones by the preference weights, from what they
chose to watch and liked. An anime that the model did not learn from users has neither.
"""

from typing import Annotated

import msgspec
import numpy as np

from hakken.about import about
from hakken.bundle import ModelBundle
from hakken.model.arrays import Array, Float64s, Int64s, unpack

N_SHOWN = 10


class Neighbour(msgspec.Struct, frozen=True):
    """An anime that was scored similarly."""

    anime_id: Annotated[int, about("MyAnimeList id.")]
    title: Annotated[str, about("As the catalogue has it.")]
    sim: Annotated[
        float,
        about("Pearson-baseline correlation, in (0, 1], shrunk towards 0 or, within a series, a value above it."),
    ]
    support: Annotated[int, about("N_ij, how many training users scored both.")]


class AlsoLiked(msgspec.Struct, frozen=True):
    """An anime that those who watched and liked another are likely to watch and like."""

    anime_id: Annotated[int, about("MyAnimeList id.")]
    title: Annotated[str, about("As the catalogue has it.")]
    weight: Annotated[
        float,
        about("W_ji, the other's preference weight for it: what an entry of it on a list adds to the preference."),
    ]


class Standing(msgspec.Struct, frozen=True):
    """Ranks of an anime among all that the model learnt from users. Equal ones share the best rank."""

    titles: Annotated[int, about("Number of those anime.")]
    watchers: Annotated[int, about("Training users who have it on their lists.")]
    watchers_rank: Annotated[int, about("From 1, the most watched.")]
    members: Annotated[int | None, about("People who have it on their lists at the site; null where that is unknown.")]
    members_rank: Annotated[
        int | None, about("The same among titles whose members are known; null where its own are not.")
    ]
    members_of: Annotated[int, about("Number of those titles.")]
    raters: Annotated[int, about("Training users who scored it.")]
    b_i: Annotated[
        float,
        about("Item bias, score points: how much higher it is scored than the average title by the same people."),
    ]
    rating_rank: Annotated[
        int | None,
        about("By bias, among titles with at least `min_raters` raters; null where it has fewer."),
    ]
    rating_of: Annotated[int, about("Number of those titles.")]
    better_than: Annotated[
        float | None, about("The share of those, 0-1, that have a lower bias; null where it has no rank.")
    ]


def nearest(
    anime_id: int, bundle: ModelBundle, n: int = N_SHOWN, *, adult: bool | None = None
) -> tuple[Neighbour, ...]:
    """Find the anime that were scored most similarly, by falling similarity, of equal ones the lower id first.

    Args:
        anime_id: MyAnimeList id.
        bundle: model and catalogue.
        n: largest number of results.
        adult: whether titles for adults may be among them; by default, only if the anime itself is one.
    """
    arrays = bundle.model.arrays
    row, entries = _entries(anime_id, bundle, arrays.sim_indptr)  # in this very order
    compared = arrays.sim_support[entries] > 0  # titles of one series are similar even if nobody scored both
    entries = entries[compared & _allowed(anime_id, bundle, arrays.sim_indices[entries], adult)][:n]
    sims = float(arrays.sim_scale[row]) * unpack(arrays.sim_values[entries])
    ids, titles = _named(bundle, arrays.sim_indices[entries])
    support = arrays.sim_support[entries].tolist()
    # A stored similarity is within 1e-5 of the exact one: of a perfect one, that may be beyond 1.
    return tuple(map(Neighbour, ids, titles, sims.clip(max=1.0).tolist(), support))


def also_liked(
    anime_id: int, bundle: ModelBundle, n: int = N_SHOWN, *, adult: bool | None = None
) -> tuple[AlsoLiked, ...]:
    """Find the anime with the largest preference weights of another; same arguments and order as `nearest`.

    Only what has a positive weight and was watched by enough is found.
    """
    arrays = bundle.model.arrays
    _, entries = _entries(anime_id, bundle, arrays.pref_indptr)
    rows = arrays.pref_indices[entries]
    weights: Float64s = arrays.pref_scale[rows].astype(np.float64) * arrays.pref_values[entries]
    best = np.lexsort((rows, -weights))
    # Hardly watched titles have weights from attributes only, which is not "liked by people".
    seen = ~bundle.model.mostly_by_attributes[rows[best]]
    best = best[(weights[best] > 0) & seen & _allowed(anime_id, bundle, rows[best], adult)][:n]
    return tuple(map(AlsoLiked, *_named(bundle, rows[best]), weights[best].tolist()))


def standing(anime_id: int, bundle: ModelBundle) -> Standing | None:
    """Compute an anime's ranks; None for one that the model did not learn from users."""
    [row], [learnt] = bundle.model.learnt_rows_of([anime_id])
    if not learnt:
        return None
    arrays, members = bundle.model.arrays, bundle.facts.members
    judged = arrays.raters >= bundle.model.manifest.parameters.min_raters
    biases, bias, known = arrays.b_i[judged], arrays.b_i[row], int(members[row])
    return Standing(
        titles=int(np.count_nonzero((arrays.watchers > 0) | (arrays.raters > 0))),
        watchers=int(arrays.watchers[row]),
        watchers_rank=_rank(arrays.watchers, row),
        members=known or None,
        members_rank=_rank(members, row) if known else None,
        members_of=int(np.count_nonzero(members)),
        raters=int(arrays.raters[row]),
        b_i=float(bias),
        rating_rank=1 + int(np.count_nonzero(biases > bias)) if judged[row] else None,
        rating_of=len(biases),
        better_than=int(np.count_nonzero(biases < bias)) / len(biases) if judged[row] else None,
    )


def _entries(anime_id: int, bundle: ModelBundle, indptr: Int64s) -> tuple[int, Int64s]:
    """An anime's row and its entries in a CSR matrix, `(n,)`: none where it has no row."""
    [row], [known] = bundle.model.rows_of([anime_id])
    return row, np.arange(indptr[row], indptr[row + 1] if known else indptr[row])


def _allowed(anime_id: int, bundle: ModelBundle, rows: Array, adult: bool | None) -> Array:
    """Which of some rows, `(n,)`, may be shown beside an anime, `(n,)` bool."""
    if adult is None:
        adult = bundle.catalogue.anime(anime_id).adult
    return np.ones(len(rows), dtype=np.bool_) if adult else ~bundle.facts.adult[rows]


def _named(bundle: ModelBundle, rows: Array) -> tuple[list[int], list[str]]:
    ids: list[int] = bundle.model.arrays.anime_ids[rows].tolist()
    return ids, [bundle.catalogue.title(one) for one in ids]


def _rank(values: Array | Int64s, row: int) -> int:
    return 1 + int(np.count_nonzero(values > values[row]))
