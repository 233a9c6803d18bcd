"""Titles that come after training: against training with them, and the formulas written out."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import Anime, Catalogue
from hakken.errors import ArtefactCorrupt
from hakken.model import Parameters, store
from hakken.model.arrays import Arrays, Float64s
from hakken.model.manifest import Manifest
from hakken.ratings import FranchiseRule, Preferences, Rating, UserList
from hakken.recommend import recommend
from hakken.registry.trial import try_version
from hakken.training import fit
from hakken.training.attributes import judged_by_attributes
from hakken.training.new_titles import with_new_titles
from hakken.training.pipeline import Fitted, save
from tests.training import learning, learning_oracle

FEW = Parameters(pref_reg=3.0, min_watchers=3, attribute_reg=4.0, pref_stored=14)
LAST = 2_000
"""Id of an unwatched title after all others."""
UNWATCHED = {*learning.UNWATCHED, LAST}


def complete(*, alone: bool) -> Catalogue:
    """All titles, of known members, also those that only lists have; unwatched ones are alone in their series or not.

    What training expects of titles of unknown members is a mean over all others, the unwatched too.
    """
    known = [msgspec.structs.replace(one, members=one.members or 500) for one in learning.titles().values()]
    known += [msgspec.structs.replace(known[0], anime_id=anime_id, series=None) for anime_id in (901, 902, LAST)]
    if alone:
        # A series may have the id of an unwatched title.
        names = {
            one.anime_id: None if one.anime_id in UNWATCHED else one.series and one.series + 3_000 for one in known
        }
        known = [msgspec.structs.replace(one, series=names[one.anime_id]) for one in known]
    return Catalogue(known)


def before_and_after(catalogue: Catalogue) -> tuple[Fitted, Arrays, Manifest]:
    """What training gives of all titles; and of the watched ones, to which the others are added."""
    fewer = fit(learning.lists(), FEW, Catalogue(one for one in catalogue.values() if one.anime_id not in UNWATCHED))
    assert not UNWATCHED & set(fewer.arrays.anime_ids.tolist())
    return fit(learning.lists(), FEW, catalogue), *with_new_titles(fewer.arrays, fewer.manifest, catalogue)


def assert_same(found: Arrays, wanted: Arrays, *but: str) -> None:
    for name in Arrays.__dataclass_fields__.keys() - but:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), name, strict=True)


def test_titles_alone_in_their_series_get_the_rows_that_training_gives_them() -> None:
    whole, arrays, manifest = before_and_after(complete(alone=True))
    assert len(UNWATCHED & set(arrays.anime_ids.tolist())) > 10
    assert manifest.sizes == whole.manifest.sizes
    assert_same(arrays, whole.arrays)


def test_sequels_get_the_rows_that_training_gives_them_but_for_g() -> None:
    """Training counts them in the m_i of their series, which changes g: here by 5 %, and all else of the series by it.

    Weights of an older title in the series of one new title fall by 1 / √2 where it was the only one.
    """
    catalogue = complete(alone=False)
    whole, arrays, manifest = before_and_after(catalogue)
    assert_same(arrays, whole.arrays, "pref_indptr", "pref_indices", "pref_values", "pref_scale")
    (wanted, step), (found, _) = weights(whole.arrays), weights(arrays)
    assert whole.manifest.unwatched
    assert manifest.unwatched
    g = manifest.unwatched.of_siblings / whole.manifest.unwatched.of_siblings
    assert g != 1.0
    assert g == pytest.approx(1.0, abs=0.1)
    new = np.isin(arrays.anime_ids, [*UNWATCHED])
    assert (found[:, new] > 0).any(axis=0).sum() > 5
    np.testing.assert_allclose(found[:, new], g * wanted[:, new], rtol=1e-4)
    series = np.array([catalogue.series_of(anime_id) for anime_id in arrays.anime_ids.tolist()])
    same = np.equal.outer(series, series)
    assert (np.abs(found - wanted) <= 1.01 * step)[~same].all()
    assert (np.abs(found - wanted) <= 0.5 * whole.arrays.attr_share * whole.manifest.unwatched.of_siblings + step).all()


def weights(arrays: Arrays) -> tuple[Float64s, Float64s]:
    """The stored weights, `(n, n)`, a row being a watched title, and a step of each title's."""
    n, scale = len(arrays.anime_ids), arrays.pref_scale.astype(np.float64)
    dense = np.zeros((n, n))
    dense[np.repeat(np.arange(n), np.diff(arrays.pref_indptr)), arrays.pref_indices] = arrays.pref_values
    return dense * scale, scale


# Any titles, at any place


@pytest.fixture(scope="module")
def sparse() -> Catalogue:
    """The titles with ids ten times as large, so that others fit in everywhere."""
    return Catalogue(
        msgspec.structs.replace(one, anime_id=10 * one.anime_id, series=one.series and 10 * one.series)
        for one in learning.titles().values()
    )


@pytest.fixture(scope="module")
def fitted(sparse: Catalogue) -> Fitted:
    table = learning.lists()
    made = fit(dataclasses.replace(table, anime_ids=10 * table.anime_ids), FEW, sparse)
    n_items, rng = len(made.arrays.anime_ids), np.random.default_rng(2)  # too few people to learn factors from
    factors, scale = rng.integers(-127, 128, (n_items, 3), dtype=np.int8), rng.random(n_items, dtype=np.float32)
    return made._replace(arrays=dataclasses.replace(made.arrays, factors=factors, factor_scale=scale))


FACTS = st.fixed_dictionaries(
    {
        "anime_id": st.integers(1, 9_050).filter(lambda anime_id: anime_id % 10),
        "series": st.none() | st.sampled_from([*range(10, 200, 30), *range(11, 50, 7)]),
        "genres": st.sampled_from([("Drama",), ("Drama", "Action"), ("Rare",), ()]),
        "type": st.sampled_from(["TV", "Movie", "Music", None]),
        "tags": st.sampled_from([(), ("Space",)]),
        "year": st.none() | st.integers(1990, 2030),
        "members": st.none() | st.sampled_from([0, 1, 300, 10**6]),
        "adult": st.booleans(),
    }
)
NEW = st.lists(FACTS, min_size=1, max_size=8, unique_by=lambda facts: facts["anime_id"])


def more(catalogue: Catalogue, new: list[dict[str, Any]]) -> Catalogue:
    return Catalogue([*catalogue.values(), *(Anime(title="New", **facts) for facts in new)])


@settings(max_examples=60, deadline=None)
@given(new=NEW)
@example(new=[{"anime_id": 1, "genres": ("Drama",)}, {"anime_id": 9_050, "genres": ("Drama",), "series": 10}])
def test_rows_are_those_of_the_formulas_and_others_keep_theirs(
    new: list[dict[str, Any]], fitted: Fitted, sparse: Catalogue
) -> None:
    catalogue = more(sparse, new)
    arrays, manifest = with_new_titles(fitted.arrays, fitted.manifest, catalogue)
    assert arrays.problem() is None
    assert len(arrays.pref_indices) == manifest.sizes.preferences
    assert msgspec.structs.replace(manifest, sizes=fitted.manifest.sizes) == fitted.manifest
    old_ids, judged = fitted.arrays.anime_ids.tolist(), set(judged_by_attributes(catalogue).tolist())
    added = judged - set(old_ids)
    assert arrays.anime_ids.tolist() == sorted({*old_ids, *added})
    old, rows = by_id(fitted.arrays), by_id(arrays)
    assert {anime_id: rows[anime_id] for anime_id in old_ids} == old
    series = {anime_id: catalogue.series_of(anime_id) for anime_id in rows}
    unwatched = manifest.unwatched
    assert unwatched
    for anime_id in added:
        one, row = catalogue[anime_id], rows[anime_id]
        reached = sum(n for year, n in unwatched.lists if year >= (one.year or 0))
        line = unwatched.popularity
        expected = line.level + line.slope * math.log(one.members + 10) if one.members else line.unknown
        q = 20 * math.exp(min(0.0, expected)) / (reached + 20)
        assert row.popularity == pytest.approx(q, rel=1e-6)
        assert row.share == row.popularity
        others = [other for other in rows if other != anime_id and series[other] == series[anime_id]]
        watched = [other for other in others if other in old and old[other].watchers >= FEW.min_watchers]
        assert row.weights.keys() == set(watched)
        w = row.popularity * unwatched.of_siblings / math.sqrt(max(1, len(others)))
        assert [*row.weights.values()] == pytest.approx([w] * len(watched), rel=1e-4)
        names = learning_oracle.attributes(one) & set(unwatched.attributes)
        assert row.attributes == [at for at, name in enumerate(unwatched.attributes) if name in names]
        assert (row.b_i, row.raters, row.watchers, row.neighbours, row.speaks) == (0.0, 0, 0, [], None)
        assert row.factors == [0.0, 0.0, 0.0]


class Row(msgspec.Struct):
    """All that a model has of one title, others being named by their ids."""

    b_i: float
    raters: int
    watchers: int
    popularity: float
    share: float
    weights: dict[int, float]
    attributes: list[int]
    neighbours: list[tuple[int, int, int, float]]
    speaks: list[int] | None
    factors: list[float]


def by_id(arrays: Arrays) -> dict[int, Row]:
    ids = arrays.anime_ids.tolist()
    rows = {}
    for i, anime_id in enumerate(ids):
        sim, attr = (slice(*indptr[i : i + 2].tolist()) for indptr in (arrays.sim_indptr, arrays.attr_indptr))
        columns = arrays.sim_indices[sim], arrays.sim_values[sim], arrays.sim_support[sim]
        triples = zip(*(column.tolist() for column in columns), strict=True)
        speaks = int(arrays.attr_rows[i])
        rows[anime_id] = Row(
            arrays.b_i[i].item(),
            arrays.raters[i].item(),
            arrays.watchers[i].item(),
            arrays.popularity[i].item(),
            arrays.attr_share[i].item(),
            {},
            arrays.attr_indices[attr].tolist(),
            [(ids[j], value, n_ij, arrays.sim_scale[i].item()) for j, value, n_ij in triples],
            arrays.attr_values[speaks].tolist() if speaks >= 0 else None,
            (arrays.factor_scale[i] * arrays.factors[i]).tolist(),
        )
    for j, anime_id in enumerate(ids):
        for at in range(*arrays.pref_indptr[j : j + 2].tolist()):
            i = int(arrays.pref_indices[at])
            rows[ids[i]].weights[anime_id] = float(arrays.pref_scale[i]) * int(arrays.pref_values[at])
    return rows


@settings(max_examples=50, deadline=None)
@given(new=NEW, first=st.sets(st.integers(0, 7)))
def test_adding_whole_series_in_two_steps_is_adding_them_in_one(
    new: list[dict[str, Any]], first: set[int], fitted: Fitted, sparse: Catalogue
) -> None:
    early = [facts for facts in new if (facts["series"] or facts["anime_id"]) % 8 in first]
    once = with_new_titles(fitted.arrays, fitted.manifest, more(sparse, new))
    step = with_new_titles(fitted.arrays, fitted.manifest, more(sparse, early))
    twice = with_new_titles(*step, more(sparse, new))
    assert_same(twice[0], once[0])
    assert twice[1] == once[1]


def test_nothing_changes_without_new_titles_or_without_what_their_rows_need(fitted: Fitted, sparse: Catalogue) -> None:
    unknowing = msgspec.structs.replace(fitted.manifest, unwatched=None)
    new = more(sparse, [{"anime_id": 1, "genres": ("Drama",)}])
    for manifest, catalogue in ((fitted.manifest, sparse), (fitted.manifest, Catalogue([])), (unknowing, new)):
        found = with_new_titles(fitted.arrays, manifest, catalogue)
        assert found == (fitted.arrays, manifest)  # the same object: arrays don't compare their values


def test_a_model_without_attributes_or_dates_gets_new_titles(sparse: Catalogue) -> None:
    table = learning.lists()
    nothing_learnt = msgspec.structs.replace(FEW, min_watchers=1_000)
    bare = fit(dataclasses.replace(table, updated=np.zeros(table.n_users, dtype=np.int32)), nothing_learnt)
    arrays, manifest = with_new_titles(bare.arrays, bare.manifest, sparse)
    assert arrays.problem() is None
    assert len(arrays.anime_ids) > len(bare.arrays.anime_ids)
    assert manifest.unwatched
    assert manifest.unwatched.lists == ((0, table.n_users),)
    assert not len(arrays.attr_indices) + len(arrays.pref_indices)


def test_more_titles_than_16_bits_can_number_are_numbered_by_32(fitted: Fitted, sparse: Catalogue) -> None:
    many = [{"anime_id": anime_id, "genres": ("Drama",)} for anime_id in range(10_000, 10_000 + 2**16)]
    arrays, _ = with_new_titles(fitted.arrays, fitted.manifest, more(sparse, many))
    assert arrays.problem() is None
    assert arrays.pref_indices.dtype == arrays.sim_indices.dtype == np.int32
    for name in ("pref_indices", "sim_indices"):
        found, wanted = (one.anime_ids[getattr(one, name)] for one in (arrays, fitted.arrays))
        np.testing.assert_array_equal(found, wanted, name)


# Served


@pytest.fixture
def sequel_and_other(sparse: Catalogue) -> Catalogue:
    """The titles, a second season of the first series, and a title that has nothing to do with any."""
    facts: dict[str, Any] = {"type": "TV", "genres": ("Drama", "Action"), "year": 2024, "members": 2_000_000}
    first = msgspec.structs.replace(sparse[20], series=20, part=1, kind="main", adult=False)
    others = [
        msgspec.structs.replace(one, series=None) if one.series == 20 else one
        for one in sparse.values()
        if one.anime_id != 20
    ]
    season = Anime(anime_id=21, title="Second season", series=20, part=2, kind="main", **facts)
    return Catalogue([first, *others, season, Anime(anime_id=9_999, title="Another", **facts)])


def test_new_titles_are_recommended_and_continue_what_was_begun(
    fitted: Fitted, sparse: Catalogue, sequel_and_other: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    served = save(fitted, sparse, tmp_path / "served")
    made = put_catalogue(tmp_path / "new", sequel_and_other, with_new_titles, served)
    assert store.open_artefact(tmp_path / "served") == served
    assert store.open_artefact(tmp_path / "new") == made
    assert made.version != served.version
    try_version(made)
    bundle = ModelBundle.read(made)
    assert made.manifest.sizes.preferences == len(bundle.model.arrays.pref_indices)
    assert made.manifest.sizes.preferences > served.manifest.sizes.preferences
    someone = UserList.of(Rating(anime_id, 8) for anime_id in range(20, 400, 20))
    found = recommend(someone, bundle, Preferences(n=100))
    assert 21 in [one.anime_id for one in found.continues]
    assert 9_999 in [one.anime_id for one in found.recommendations]
    everything = recommend(someone, bundle, Preferences(n=100, franchise=FranchiseRule.ALL)).recommendations
    match = {one.anime_id: one.match for one in everything}
    assert match[21] > match[9_999], "the series of a title counts beside its attributes"


def test_what_the_manifest_says_of_other_attributes_is_refused_and_nothing_is_written(
    fitted: Fitted, sparse: Catalogue, sequel_and_other: Catalogue, tmp_path: Path
) -> None:
    assert fitted.manifest.unwatched
    wrong = msgspec.structs.replace(fitted.manifest.unwatched, attributes=("any",))
    (tmp_path / "model").mkdir()
    manifest = msgspec.structs.replace(fitted.manifest, unwatched=wrong)
    served = save(fitted._replace(manifest=manifest), sparse, tmp_path / "model")
    with pytest.raises(ArtefactCorrupt, match="names 1 attributes"):
        put_catalogue(tmp_path / "model", sequel_and_other, with_new_titles)
    assert store.open_artefact(tmp_path / "model") == served
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
