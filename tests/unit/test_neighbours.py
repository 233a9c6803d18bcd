"""One anime among the others, against the same in plain Python."""

import dataclasses
from collections.abc import Callable

import msgspec
import pytest

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.neighbours import also_liked, nearest, standing
from tests.models import ADULT_ID, N_ITEMS, with_parameters

CATALOGUE_ONLY, NOWHERE = 90_000, 99_999
EVERY = N_ITEMS


@pytest.fixture(scope="module")
def grown(bundle: ModelBundle) -> ModelBundle:
    """The small model with a title more in the catalogue, and titles for adults that many others are near."""
    adults = {ADULT_ID, *range(10, N_ITEMS, 10)}
    told = [msgspec.structs.replace(one, adult=one.anime_id in adults) for one in bundle.catalogue.values()]
    model = with_parameters(bundle, min_raters=30).model
    return ModelBundle(model, Catalogue([*told, Anime(anime_id=CATALOGUE_ONLY, title="Brand new", members=5)]))


def adults(bundle: ModelBundle) -> set[int]:
    return set(bundle.catalogue.adult_ids)


def test_also_liked_is_what_the_weights_of_the_watched_title_speak_for(grown: ModelBundle) -> None:
    arrays = grown.model.arrays
    ids = arrays.anime_ids.tolist()
    spoke = 0
    for row in range(0, N_ITEMS, 7):
        weights = {
            ids[arrays.pref_indices[p]]: float(arrays.pref_scale[arrays.pref_indices[p]]) * int(arrays.pref_values[p])
            for p in range(int(arrays.pref_indptr[row]), int(arrays.pref_indptr[row + 1]))
        }
        expected = sorted((-weight, one) for one, weight in weights.items() if weight > 0)
        found = also_liked(ids[row], grown, EVERY, adult=True)
        assert [(-one.weight, one.anime_id) for one in found] == expected
        spoke += len(found)
    assert spoke > 100


@pytest.mark.parametrize("find", [nearest, also_liked])
def test_titles_for_adults_stay_among_themselves_unless_asked_for(
    find: Callable[..., tuple[object, ...]], grown: ModelBundle
) -> None:
    def ids(anime_id: int, **asked: bool) -> list[int]:
        return [one.anime_id for one in find(anime_id, grown, EVERY, **asked)]  # type: ignore[attr-defined]  # either's

    assert adults(grown) & set(ids(1, adult=True))
    assert ids(1) == [one for one in ids(1, adult=True) if one not in adults(grown)]
    assert ids(10) == ids(10, adult=True)
    assert not adults(grown) & set(ids(10, adult=False))
    assert len(find(1, grown, 5)) == 5, "those that are left out leave room for others"
    assert ids(1)[:5] == [one.anime_id for one in find(1, grown, 5)]  # type: ignore[attr-defined]  # either's


@pytest.mark.parametrize("unknown", [CATALOGUE_ONLY, NOWHERE])
def test_what_the_model_does_not_know_has_no_neighbours(unknown: int, grown: ModelBundle) -> None:
    assert nearest(unknown, grown) == ()
    assert also_liked(unknown, grown) == ()
    assert standing(unknown, grown) is None


def test_where_an_anime_stands(grown: ModelBundle) -> None:
    arrays = grown.model.arrays
    columns = (arrays.anime_ids, arrays.b_i, arrays.raters, arrays.watchers)
    ids, b_i, raters, watchers = (column.tolist() for column in columns)
    members = [(facts.members or 0) if (facts := grown.catalogue.get(one)) else 0 for one in ids]
    judged = [row for row in range(N_ITEMS) if raters[row] >= 30]
    assert 0 < len(judged) < N_ITEMS
    for row in range(N_ITEMS):
        found = standing(ids[row], grown)
        assert found
        of_row = (N_ITEMS, watchers[row], raters[row], b_i[row])
        assert (found.titles, found.watchers, found.raters, found.b_i) == of_row
        assert found.watchers_rank == 1 + sum(other > watchers[row] for other in watchers)
        assert found.members == (members[row] or None)
        assert found.members_rank == (1 + sum(other > members[row] for other in members) if members[row] else None)
        assert found.members_of == sum(other > 0 for other in members)
        assert found.rating_of == len(judged)
        if row in judged:
            assert found.rating_rank == 1 + sum(b_i[other] > b_i[row] for other in judged)
            assert found.better_than == sum(b_i[other] < b_i[row] for other in judged) / len(judged)
        else:
            assert found.rating_rank is found.better_than is None


@pytest.fixture
def with_few(grown: ModelBundle) -> ModelBundle:
    """The same where nobody watched 1, nobody watched 2 and someone scored it, and two people watched 3."""
    arrays = grown.model.arrays
    watchers, raters, share = arrays.watchers.copy(), arrays.raters.copy(), arrays.attr_share.copy()
    watchers[:3], raters[:3], share[:3] = (0, 0, 2), (0, 1, 1), 0.1
    changed = dataclasses.replace(arrays, watchers=watchers, raters=raters, attr_share=share)
    return ModelBundle(dataclasses.replace(grown.model, arrays=changed), grown.catalogue)


def test_what_nobody_watched_stands_nowhere_and_counts_for_nothing(with_few: ModelBundle) -> None:
    found = [standing(anime_id, with_few) for anime_id in (1, 2, 3)]
    ranks = [one and (one.titles, one.watchers_rank) for one in found]
    assert ranks == [None, (N_ITEMS - 1, N_ITEMS - 1), (N_ITEMS - 1, N_ITEMS - 2)]


def test_nobody_also_liked_what_hardly_anyone_watched(grown: ModelBundle, with_few: ModelBundle) -> None:
    few = {1, 2, 3}
    told = 0
    for anime_id in range(4, N_ITEMS):
        before, after = (also_liked(anime_id, one, EVERY, adult=True) for one in (grown, with_few))
        assert after == tuple(one for one in before if one.anime_id not in few)
        told += len(before) - len(after)
    assert told > 10
