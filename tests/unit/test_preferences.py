"""Preference weights and the match: against the formulas written out, and what the list and its reasons promise."""

import importlib

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
from hakken.model.prediction import baseline, implicit_term, neighbour_parts
from hakken.model.preference import parts_of
from hakken.ratings import FranchiseRule, Order, Preferences, Rating, Status, UserList
from hakken.recommend import largest, rank, recommend, scoring
from tests import oracle
from tests.models import N_ITEMS, with_parameters
from tests.strategies import preference_models, tastes, user_lists

ALL = Preferences(n=20, franchise=FranchiseRule.ALL, adult=True)
everything = list(range(1, N_ITEMS + 1))
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
    [(rows, score)] = scorer.best([np.ones(model.n_items, dtype=np.bool_)], model.n_items)
    shares, r_hat, _ = scorer.shares(rows)
    if order is Order.MATCH:
        liked = preference(model, scorer.taste)[rows]
        expected = score * liked / (liked + model.manifest.parameters.everyone * model.popularity[rows])
    else:
        title, rated, amount = neighbour_parts(model, visitor, rows)
        unlisted = ~np.isin(visitor.rows[rated], scorer.taste.rows)
        of_none = np.bincount(title[unlisted], amount[unlisted], minlength=len(rows))
        expected = score - baseline(model, visitor, rows) - of_none - implicit_term(model, visitor, np.zeros(len(rows)))
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


@pytest.mark.parametrize("length", [0, 1, 3, 30, 300, 2_000, 5_000])
@pytest.mark.parametrize("rule", list(FranchiseRule))
def test_the_shortlist_gives_the_exhaustive_top(
    embedded: ModelBundle, monkeypatch: pytest.MonkeyPatch, length: int, rule: FranchiseRule
) -> None:
    """On the model that is served, whose titles are many times the shortlist.

    Thousands of scores drawn at random are nobody's taste, and pull further than anyone's: one title may differ then.
    """
    for seed in range(3 if length <= 300 else 1):
        user_list = popular_list(embedded, length, seed)
        for popularity in (-1.0, 0.0, 1.0):
            chosen = Preferences(n=20, franchise=rule, popularity=popularity)
            short = rank(user_list, embedded, chosen).best.rows.tolist()
            with monkeypatch.context() as patched:
                patched.setattr(scoring, "SHORTLIST", embedded.model.n_items)
                exhaustive = rank(user_list, embedded, chosen).best.rows.tolist()
            assert short == exhaustive if length <= 300 else len(set(short) & set(exhaustive)) >= 19


def test_the_slider_goes_from_niche_to_popular(bundle: ModelBundle) -> None:
    chosen = (msgspec.structs.replace(ALL, popularity=value) for value in (-1.0, 0.0, 1.0))
    support = [np.mean([one.support for one in recommend(LIST, bundle, one).recommendations]) for one in chosen]
    assert support == sorted(support)
    assert support[0] < support[2]


def test_what_is_ignored_says_nothing_and_is_still_not_recommended(bundle: ModelBundle) -> None:
    shorter = UserList.of(rating for rating in LIST.ratings if rating.anime_id != 12)
    found = recommend(LIST, bundle, msgspec.structs.replace(ALL, n=100, ignored=(12,)))
    expected = recommend(shorter, bundle, msgspec.structs.replace(ALL, n=100))
    assert 12 not in {one.anime_id for one in found.recommendations}
    without = [one for one in expected.recommendations if one.anime_id != 12]
    assert list(found.recommendations)[: len(without)] == without


@pytest.fixture(scope="module")
def varied(bundle: ModelBundle) -> ModelBundle:
    """The small model with titles of several types, genres and years."""

    def changed(one: Anime) -> Anime:
        genres = ("Drama",) if one.anime_id % 3 else ("Drama", "Comedy")
        year = None if one.anime_id % 5 == 0 else 1990 + one.anime_id % 30
        return msgspec.structs.replace(one, type="TV" if one.anime_id % 4 else "Movie", genres=genres, year=year)

    return ModelBundle(bundle.model, Catalogue(map(changed, bundle.catalogue.values())))


def test_filters_keep_their_word_and_refill(varied: ModelBundle) -> None:
    chosen = msgspec.structs.replace(
        ALL, types=("tv",), genres=("drama",), without_genres=("Comedy",), year_from=1995, year_to=2015, min_members=200
    )
    found = [varied.catalogue[one.anime_id] for one in recommend(LIST, varied, chosen).recommendations]
    assert len(found) == 20
    assert {(one.type, one.genres) for one in found} == {("TV", ("Drama",))}
    assert all(1995 <= (one.year or 0) <= 2015 and (one.members or 0) >= 200 for one in found)


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
