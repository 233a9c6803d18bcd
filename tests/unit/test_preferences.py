"""Preference weights and the match: against the formulas written out, and what the list and its reasons promise."""

import dataclasses
import importlib
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.serving import popular_list
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.errors import BadOption
from hakken.model import ListColumns, Model, predict, preference, top_n
from hakken.model.prediction import baseline, implicit_term, neighbour_parts, trend
from hakken.model.preference import parts_of
from hakken.ratings import FranchiseRule, Order, Preferences, Rating, Status, UserList
from hakken.recommend import largest, rank, recommend, scoring
from hakken.recommend.variety import Alike
from tests import oracle
from tests.models import N_ITEMS, with_parameters
from tests.strategies import preference_models, tastes, user_lists

ALL = Preferences(n=20, franchise=FranchiseRule.ALL, adult=True)
everything = list(range(1, N_ITEMS + 1))
SEASONS = ("Winter", "Spring", "Summer", "Fall")
LIST = UserList.of([*(Rating(i, 4 + i % 7) for i in range(10, 40)), Rating(50, 3, Status.DROPPED), Rating(60)])


@settings(max_examples=200)
@given(data=st.data(), model=preference_models(), long_list=st.sampled_from([0, 4, 10**6]))
def test_parts_add_up_to_the_preference_however_it_is_summed(data: st.DataObject, model: Model, long_list: int) -> None:
    """By rows and by titles, over titles with attributes and without; in any order, and for the same title twice."""
    taste = data.draw(tastes(model.n_items))
    weights = oracle.weights(model.arrays)
    with pytest.MonkeyPatch.context() as patched:
        module = importlib.import_module("hakken.model.preference")  # its function has the same name
        patched.setattr(module, "LONG_LIST", long_list)
        patched.setattr(module, "TITLES_AT_ONCE", 3)
        total = preference(model, taste)
    np.testing.assert_allclose(total, taste.liking @ weights[taste.rows], rtol=1e-5, atol=1e-5)

    rows = np.array(data.draw(st.lists(st.integers(0, model.n_items - 1), max_size=8)), dtype=np.int64)
    expected = (taste.liking[:, None] * weights[taste.rows][:, rows]).T
    np.testing.assert_allclose(parts_of(model, taste, rows), expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=60)
@given(user_list=user_lists([*everything, 99_999]), like=st.lists(st.sampled_from(everything), max_size=3))
@example(user_list=UserList.of(Rating(i, i % 11, Status.PLAN_TO_WATCH) for i in range(10, 40)), like=[])
@pytest.mark.parametrize(
    ("order", "planned"), [(Order.MATCH, 0.4), (Order.PREDICTED_RATING, 0.4), (Order.PREDICTED_RATING, 0.0)]
)
def test_shares_and_what_no_entry_adds_are_the_score(
    bundle: ModelBundle, user_list: UserList, like: list[int], order: Order, planned: float
) -> None:
    """Where plans say nothing of what is liked, a scored title that is only planned is no reason of a rating."""
    preferences = msgspec.structs.replace(ALL, order=order, popularity=0.3, like=tuple(like))
    changed = with_parameters(bundle, planned=planned)
    model, scorer = changed.model, scoring.Scorer(changed, ListColumns.of(user_list), preferences)
    visitor = scorer.visitor
    assert planned or not visitor.taste.planned.any()
    [best] = scorer.best([np.ones(model.n_items, dtype=np.bool_)], model.n_items)
    rows, score, r_hat, *_ = best
    shares, _ = scorer.explained(best)
    if order is Order.MATCH:
        liked = preference(model, scorer.taste)[rows]
        expected = score * liked / (liked + model.manifest.parameters.everyone * model.popularity[rows])
    else:
        title, rated, amount = neighbour_parts(model, visitor, rows)
        unlisted = ~np.isin(visitor.rows[rated], scorer.taste.rows)
        of_none = np.bincount(title[unlisted], amount[unlisted], minlength=len(rows))
        before = baseline(model, visitor, rows) + trend(model, visitor, rows)
        expected = score - before - of_none - implicit_term(model, visitor, np.zeros(len(rows)))
    np.testing.assert_allclose(shares.sum(axis=1), expected, rtol=1e-5, atol=1e-5)  # attributes are 32-bit sums
    np.testing.assert_allclose(r_hat, predict(model, visitor, rows), atol=1e-9)


@settings(max_examples=200)
@given(data=st.data(), n=st.integers(0, 8))
def test_the_largest_shares_are_those_of_a_full_sort(data: st.DataObject, n: int) -> None:
    """Of equal ones the earlier entry's come first, and what is 0 is none."""
    row = st.lists(st.sampled_from([0.0, -0.0, 0.1, -0.1, 0.2, 0.3, -0.3]), min_size=n, max_size=n)
    shares = data.draw(st.lists(row, max_size=4))
    expected = [
        (title, entry)
        for title, row in enumerate(shares)
        for entry in sorted((at for at, one in enumerate(row) if one), key=lambda at: (-abs(row[at]), at))[:3]
    ]
    found = largest(np.array(shares).reshape(len(shares), n))
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


@pytest.mark.parametrize("length", [0, 3, 300, 5_000])
@pytest.mark.parametrize("rule", list(FranchiseRule))
@pytest.mark.parametrize("variety", [0.0, 0.3, 1.0])
def test_a_longer_list_begins_like_a_shorter_one(
    embedded: ModelBundle, length: int, rule: FranchiseRule, variety: float
) -> None:
    """On the model that is served, whose titles are many times the shortlist, and on lists of any length."""
    user_list = popular_list(embedded, length)
    ranked = [
        rank(user_list, embedded, Preferences(n=n, franchise=rule, variety=variety, popularity=0.5))
        for n in (10, 20, 100)
    ]
    shorter, short, long = (one.best.rows.tolist() for one in ranked)
    assert len(long) == 100
    assert long[:20] == short
    assert short[:10] == shorter
    shorter, short, long = (one.continues.rows.tolist() for one in ranked)
    assert long[:20] == short
    assert short[:10] == shorter


def mean_popularity(user_list: UserList, bundle: ModelBundle, preferences: Preferences) -> float:
    """Mean ln q_i of the top ten; summed exactly, so that it does not change with their order."""
    rows = rank(user_list, bundle, preferences).best.rows
    return math.fsum(bundle.model.log_popularity[rows]) / len(rows)


@pytest.mark.parametrize("length", [0, 3, 30, 300, 2_000])
@pytest.mark.parametrize("rule", list(FranchiseRule))
def test_the_slider_goes_from_niche_to_popular(embedded: ModelBundle, length: int, rule: FranchiseRule) -> None:
    """At each of nine positions the top ten are at least as widely watched as at the one before.

    Without variety, which knows nothing of popularity.
    """
    user_list = popular_list(embedded, length, seed=1)
    found = [
        mean_popularity(user_list, embedded, Preferences(n=10, franchise=rule, popularity=value, variety=0.0))
        for value in np.linspace(-1, 1, 9).tolist()
    ]
    assert found == sorted(found)
    assert found[0] < found[-1]


@pytest.mark.parametrize("rule", list(FranchiseRule))
def test_with_more_variety_titles_are_less_alike(embedded: ModelBundle, rule: FranchiseRule) -> None:
    """Of the top ten, by pairs, on average of several lists; without variety they are in the order by match."""

    def alike(user_list: UserList, variety: float) -> float:
        best = rank(user_list, embedded, Preferences(n=10, franchise=rule, variety=variety)).best
        assert variety or best.score.tolist() == sorted(best.score.tolist(), reverse=True)
        pairs = np.array([Alike(embedded, best.rows).to(at) for at in range(len(best.rows))])
        return float((pairs.sum() - pairs.trace()) / (pairs.size - len(pairs)))

    lists = [popular_list(embedded, length, seed) for length in (0, 20, 300) for seed in range(3)]
    found = [np.mean([alike(one, variety) for one in lists]) for variety in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.8 * found[0]


def test_what_is_ignored_says_nothing_and_is_still_not_recommended(bundle: ModelBundle) -> None:
    shorter = UserList.of(rating for rating in LIST.ratings if rating.anime_id != 12)
    found = recommend(LIST, bundle, msgspec.structs.replace(ALL, n=100, ignored=(12,)))
    expected = recommend(shorter, bundle, msgspec.structs.replace(ALL, n=100))
    assert 12 not in {one.anime_id for one in found.recommendations}
    without = [one for one in expected.recommendations if one.anime_id != 12]
    assert list(found.recommendations)[: len(without)] == without


def test_what_was_seen_beside_the_list_counts_like_its_entries(bundle: ModelBundle) -> None:
    longer = UserList.of([*(one for one in LIST.ratings if one.anime_id != 12), Rating(12, 3), Rating(150, 0)])
    found = recommend(LIST, bundle, msgspec.structs.replace(ALL, n=100, seen=("12-3", "150-7", "150-0")))
    assert found == recommend(longer, bundle, msgspec.structs.replace(ALL, n=100))
    assert 150 not in {one.anime_id for one in found.recommendations}


@pytest.fixture(scope="module")
def varied(bundle: ModelBundle) -> ModelBundle:
    """The small model with titles of several types, genres, years, seasons, studios and series."""

    def changed(one: Anime) -> Anime:
        genres = ("Drama",) if one.anime_id % 3 else ("Drama", "Comedy")
        year = None if one.anime_id % 5 == 0 else 1990 + one.anime_id % 30
        kind = "TV" if one.anime_id % 4 else "Movie"
        season = None if one.anime_id % 7 == 0 else f"{SEASONS[one.anime_id % 4]} {2020 + one.anime_id % 3}"
        studios = tuple(name for number, name in enumerate(("sunrise", "madhouse"), 2) if one.anime_id % number == 0)
        changed: dict[str, Any] = {"genres": genres, "year": year, "season": season, "studios": studios}
        return msgspec.structs.replace(one, type=kind, series=one.anime_id - one.anime_id % 10 or None, **changed)

    return ModelBundle(bundle.model, Catalogue(map(changed, bundle.catalogue.values())))


def test_filters_keep_their_word_and_refill(varied: ModelBundle) -> None:
    chosen = msgspec.structs.replace(
        ALL, types=("tv",), genres=("drama",), without_genres=("Comedy",), year_from=1995, year_to=2015, min_members=200
    )
    found = [varied.catalogue[one.anime_id] for one in recommend(LIST, varied, chosen).recommendations]
    assert len(found) == 20
    assert {(one.type, one.genres) for one in found} == {("TV", ("Drama",))}
    assert all(1995 <= (one.year or 0) <= 2015 and (one.members or 0) >= 200 for one in found)


@pytest.mark.parametrize("season", [None, "2021-winter", "2022-fall"])
@pytest.mark.parametrize("studios", [(), ("Sunrise",), ("sunrise", "MADHOUSE")])
@pytest.mark.parametrize("series", [(), (25,), (20, 31)])
def test_seasons_studios_and_series_leave_what_is_of_them(
    varied: ModelBundle, season: str | None, studios: tuple[str, ...], series: tuple[int, ...]
) -> None:
    """Of several studios or series any will do; a title whose season is unknown is of none."""
    chosen = msgspec.structs.replace(ALL, n=100, season=season, studios=studios, series=series)
    found = {one.anime_id for one in recommend(LIST, varied, chosen).recommendations}
    left = {
        one.anime_id
        for one in varied.catalogue.values()
        if one.anime_id not in {rating.anime_id for rating in LIST.ratings}
        and (season is None or (one.season or "").lower() == " ".join(reversed(season.split("-"))))
        and (not studios or {name.lower() for name in studios} & set(one.studios))
        and (not series or one.series in {number - number % 10 for number in series})
    }
    assert found <= left or not (season or studios or series)
    assert len(found) == min(100, len(left))


def test_a_season_says_how_much_of_it_is_known(varied: ModelBundle) -> None:
    manifest = msgspec.structs.replace(varied.model.manifest, data_time="2021-03")
    dated = ModelBundle(dataclasses.replace(varied.model, manifest=manifest), varied.catalogue)
    for season, note in (
        ("2021-winter", ""),
        ("2020-fall", ""),
        (
            "2021-summer",
            "For Summer 2021, we know only what was known in March 2021: anything announced later is missing.",
        ),
        ("2023-fall", "No title from Fall 2023 is known here."),
    ):
        notes = recommend(LIST, dated, msgspec.structs.replace(ALL, n=1, season=season)).notes
        assert notes == ((note,) if note else ())


@pytest.mark.parametrize(
    ("chosen", "said"),
    [({"studios": ("sunrize",)}, "did you mean sunrise"), ({"series": (25, 88_888)}, "no title with")],
)
def test_a_studio_or_title_that_there_is_not_is_refused(varied: ModelBundle, chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOption, match=said):
        recommend(LIST, varied, Preferences(**chosen))


def test_filters_that_shorten_the_list_say_how_many_each_took(varied: ModelBundle) -> None:
    chosen = msgspec.structs.replace(ALL, types=("Movie",), year_from=2018)
    result = recommend(UserList.of([Rating(1, 8)]), varied, chosen)
    movies = [one for one in varied.catalogue.values() if one.type == "Movie"]
    late = [one for one in movies if (one.year or 0) >= 2018]
    assert {one.anime_id for one in result.recommendations} == {one.anime_id for one in late} - {1}
    assert 0 < len(late) < 20
    unseen = varied.model.n_items - 1
    note = f"type {unseen - len(movies):,}, from 2018 {len(movies) - len(late):,}."
    assert any(note in said for said in result.notes)


def test_an_unknown_genre_is_refused_with_a_hint(bundle: ModelBundle) -> None:
    with pytest.raises(BadOption, match="did you mean drama"):
        recommend(LIST, bundle, Preferences(genres=("Darma",)))


@settings(max_examples=200)
@given(
    scored=st.lists(st.tuples(st.sampled_from([1.0, 2.0, 2.5, 3.0]), st.booleans()), max_size=30), n=st.integers(1, 40)
)
def test_the_best_n_are_those_of_a_full_sort(scored: list[tuple[float, bool]], n: int) -> None:
    score = np.array([value for value, _ in scored])
    allowed = np.array([ok for _, ok in scored], dtype=np.bool_)
    expected = sorted((i for i, (_, ok) in enumerate(scored) if ok), key=lambda i: (-scored[i][0], i))[:n]
    assert top_n(score, allowed, n).tolist() == expected
