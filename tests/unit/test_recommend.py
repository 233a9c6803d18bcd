"""Recommendations as values: who is left out, in which order, and what is said about it."""

import dataclasses
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.serving import popular_list
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.model.arrays import MIN_TITLES
from hakken.ratings import FranchiseRule, Order, Planned, Preferences, Rating, Status, UserList
from hakken.recommend import recommend, scoring
from hakken.recommend.notes import new_titles
from hakken.taste import profile
from tests.fake_services import silenced
from tests.models import ADULT_ID, N_ITEMS, with_parameters
from tests.strategies import user_lists

FEW = Preferences(n=20)
LONG = Preferences(n=100)
everything = list(range(1, N_ITEMS + 1))


@settings(max_examples=80)
@given(user_list=user_lists([*everything, 99_999]))
def test_any_list_gives_a_full_list_of_unseen_titles_best_first(bundle: ModelBundle, user_list: UserList) -> None:
    result = recommend(user_list, bundle, FEW)
    ids = [one.anime_id for one in result.recommendations]
    assert len(ids) == len(set(ids)) == FEW.n
    assert not set(ids) & {rating.anime_id for rating in user_list.seen}
    alone = recommend(user_list, bundle, msgspec.structs.replace(FEW, variety=0.0))
    matches = [one.match for one in alone.recommendations]
    assert matches == sorted(matches, reverse=True)
    assert all(one.predicted_rating and 1 <= one.predicted_rating <= 10 for one in result.recommendations)
    assert all(isinstance(one.predicted_rating, float) for one in result.recommendations)


def test_what_is_planned_may_be_recommended_unless_hidden_and_is_no_reason_for_itself(bundle: ModelBundle) -> None:
    scored = [Rating(i, 8) for i in range(10, 20)]
    for one in recommend(UserList.of(scored), bundle, FEW).recommendations:
        for others in (scored, []):
            planned = UserList.of([*others, Rating(one.anime_id, 0, Status.PLAN_TO_WATCH)])
            only = recommend(planned, bundle, Preferences(planned=Planned.ONLY))
            assert [found.anime_id for found in only.recommendations] == [one.anime_id]
            assert one.anime_id not in {why.anime_id for why in only.recommendations[0].reasons}
            assert ", not planned 2" in only.notes[-1]
            hidden = recommend(planned, bundle, msgspec.structs.replace(LONG, planned=Planned.HIDE))
            assert one.anime_id not in {found.anime_id for found in hidden.recommendations}


def test_a_reason_that_is_only_planned_is_marked(bundle: ModelBundle) -> None:
    watched = [Rating(10, 9), Rating(20, 0)]
    planned = [Rating(30, 0, Status.PLAN_TO_WATCH), Rating(40, 8, Status.PLAN_TO_WATCH)]
    # What more is wanted of is no plan, unless it is one besides.
    for like in ((), (30, 50)):
        result = recommend(UserList.of([*watched, *planned]), bundle, Preferences(n=100, like=like))
        reasons = [why for one in result.recommendations for why in one.reasons]
        marked = {(why.anime_id, why.score, why.planned) for why in reasons}
        expected = {(10, 9, False), (20, 0, False), (30, 0, True), (40, 8, True), *([(50, 0, False)] if like else ())}
        assert marked == expected


@pytest.mark.parametrize("ignored", [(), (10,)])
def test_a_list_of_plans_alone_is_ordered_by_them_and_a_note_says_so(
    bundle: ModelBundle, ignored: tuple[int, ...]
) -> None:
    plans = [Rating(30, 0, Status.PLAN_TO_WATCH), Rating(40, 0, Status.PLAN_TO_WATCH)]
    user_list = UserList.of([*plans, *(Rating(one, 9) for one in ignored)])
    result = recommend(user_list, bundle, Preferences(n=20, ignored=ignored))
    popular = recommend(UserList(), bundle, FEW)
    assert result.personal
    assert [one.anime_id for one in result.recommendations] != [one.anime_id for one in popular.recommendations]
    assert "no watched title that we know" in result.notes[0].lower()
    assert "so these are based on what you plan to watch." in result.notes[0]
    # Ratings are predicted from what was watched and scored.
    by_rating = recommend(user_list, bundle, Preferences(order=Order.PREDICTED_RATING, ignored=ignored))
    assert not by_rating.personal
    assert "many people watch and like" in by_rating.notes[0]


def test_with_few_scores_a_note_says_what_a_list_rests_on(bundle: ModelBundle) -> None:
    watched, planned = [Rating(i) for i in range(10, 20)], [Rating(30, 0, Status.PLAN_TO_WATCH)]
    scored = [Rating(i, 8) for i in range(30, 34)]
    for user_list, said in (
        (watched, "based only on what was watched,"),
        (watched + planned, "based only on what was watched or planned,"),
        (watched + scored[:1], "This is based on 1 scored title:"),
        (watched + scored, "This is based on 4 scored titles:"),
    ):
        assert said in recommend(UserList.of(user_list), bundle, FEW).notes[0]


# What hardly anyone watched

HARDLY = {10: (0, 0), 20: (5, 2), 30: (6, 2), 40: (5, 3), 50: (6, 3)}
"""Ids, and how many people in training watched and scored them."""


@pytest.fixture(scope="module")
def unwatched(bundle: ModelBundle) -> ModelBundle:
    """The small model with titles that hardly anyone watched; 20 goes on from 19."""
    arrays = bundle.model.arrays
    watchers, raters, share = arrays.watchers.copy(), arrays.raters.copy(), arrays.attr_share.copy()
    rows, _ = bundle.model.rows_of(list(HARDLY))
    watchers[rows], raters[rows] = np.array(list(HARDLY.values()), dtype=np.int32).T
    share[rows] = 0.1
    changed = dataclasses.replace(arrays, watchers=watchers, raters=raters, attr_share=share)
    facts = {one.anime_id: one for one in bundle.catalogue.values()}
    for part, one in enumerate((19, 20), start=1):
        facts[one] = msgspec.structs.replace(facts[one], series=19, part=part)
    return ModelBundle(dataclasses.replace(bundle.model, arrays=changed), Catalogue(facts.values()))


def seen_but(*left: int) -> UserList:
    return UserList.of(Rating(i, 5 + i % 5) for i in everything if i not in {ADULT_ID, *left})


def test_what_hardly_anyone_watched_or_scored_is_judged_by_attributes_or_has_no_predicted_rating(
    unwatched: ModelBundle,
) -> None:
    begun = seen_but(*HARDLY, 60)

    def left(**chosen: Any) -> tuple[dict[int, tuple[bool, bool]], str]:
        found = recommend(begun, unwatched, Preferences(n=100, franchise=FranchiseRule.ALL, **chosen))
        made = {one.anime_id: (one.predicted_rating is not None, one.by_attributes) for one in found.recommendations}
        return made, found.notes[-1]

    predicted = {10: False, 20: False, 30: False, 40: True, 50: True, 60: True}
    assert left()[0] == {one: (rated, one in {10, 20, 40}) for one, rated in predicted.items()}
    assert unwatched.model.manifest.parameters.min_raters == 1
    by_rating, note = left(order=Order.PREDICTED_RATING)
    assert (set(by_rating), "fewer than 3 raters 3" in note) == ({40, 50, 60}, True)
    rated_only, note = left(rated_only=True)
    assert (set(rated_only), "hardly rated 4" in note) == ({50, 60}, True)
    assert [one.anime_id for one in recommend(begun, unwatched, FEW).continues] == [20]
    assert not recommend(begun, unwatched, Preferences(n=20, rated_only=True)).continues


def test_more_like_what_says_nothing_of_others_can_not_be_found(unwatched: ModelBundle) -> None:
    silent = silenced(unwatched.model.arrays, unwatched.model.rows_of([10])[0])
    told = ModelBundle(dataclasses.replace(unwatched.model, arrays=silent), unwatched.catalogue)
    wished, usual = (recommend(UserList(), told, Preferences(n=20, like=like)) for like in ((10,), ()))
    assert wished.recommendations == usual.recommendations
    assert not wished.personal
    assert "many people watch and like" in wished.notes[0]
    assert "too few people we learnt from have watched it" in wished.notes[1]
    unknown = recommend(UserList(), told, Preferences(n=20, like=(99_999,)))
    assert (unknown.recommendations, unknown.notes) == (wished.recommendations, wished.notes)
    # With others, those are gone by.
    both = recommend(UserList(), told, Preferences(n=20, like=(10, 60)))
    assert both.personal
    assert "you asked for more of" in both.notes[0]


@pytest.mark.parametrize(("titles", "counts"), [(MIN_TITLES - 1, False), (MIN_TITLES, True)])
def test_an_attribute_counts_that_enough_of_the_titles_have_that_people_watched(
    unwatched: ModelBundle, titles: int, counts: bool
) -> None:
    # The unwatched are not counted.
    having = {*list(HARDLY)[:1], *[one for one in everything if one not in HARDLY][:titles]}
    facts = [
        msgspec.structs.replace(one, studios=("mappa",)) if one.anime_id in having else one
        for one in unwatched.catalogue.values()
    ]
    known = ModelBundle(unwatched.model, Catalogue(facts)).facts.attributes
    assert known == {("genres", "Drama"), *([("studios", "mappa")] if counts else ())}


def test_a_list_that_leaves_little_or_nothing_says_so(bundle: ModelBundle) -> None:
    for adult, left in ((False, {1, 2}), (True, {1, 2, ADULT_ID})):
        seen = UserList.of(Rating(i, 7) for i in everything[3:])
        result = recommend(seen, bundle, Preferences(adult=adult))
        assert {one.anime_id for one in result.recommendations} == left
        assert f"Only {len(left)} titles are left to recommend" in result.notes[-1]
    demanding = with_parameters(bundle, min_raters=10**6)
    nothing = recommend(UserList(), demanding, Preferences(order=Order.PREDICTED_RATING))
    assert not nothing.recommendations
    assert any("No title is left to recommend" in one and "1,000,000 raters 249" in one for one in nothing.notes)


@pytest.mark.parametrize(
    ("user_list", "note"),
    [
        (UserList(), "The list is empty"),
        (UserList(skipped=4), "Nothing on the list could be read"),
        (UserList.of([Rating(99_999, 9)]), "The list has no watched title that we know"),
    ],
)
def test_without_a_title_that_we_know_popular_titles_come_and_a_note_says_so(
    bundle: ModelBundle, user_list: UserList, note: str
) -> None:
    result = recommend(user_list, bundle, FEW)
    assert not result.personal
    assert result.recommendations == recommend(UserList(), bundle, FEW).recommendations
    assert any(note in said and "many people watch and like" in said for said in result.notes)


def test_notes_tell_how_the_list_was_read(bundle: ModelBundle) -> None:
    notes = recommend(UserList.of([Rating(10, 9), Rating(10, 2)], skipped=3), bundle, FEW).notes
    assert "3 entries left out: the anime could not be read." in notes
    assert "1 entry repeated an anime: the last one counts." in notes


NEW = (
    Anime(anime_id=70_001, title="Obscure", members=5, year=2025, season="Fall 2025"),
    Anime(anime_id=70_002, title="Well-known", members=900_000, year=2026, season="Spring 2026"),
    Anime(anime_id=70_003, title="Nobody counted"),
    Anime(anime_id=70_004, title="Known", members=7_000, year=2026, season="Winter 2026"),
)
"""What the catalogue knows and the model does not."""
ALL_NEW = [one.anime_id for one in NEW]
NOWHERE = 99_999
"""What neither knows."""


@pytest.fixture(scope="module")
def newer(bundle: ModelBundle) -> ModelBundle:
    """The small model with a catalogue that has more titles, and with a row for 10, 11 and 20 that nobody gave it."""
    arrays = bundle.model.arrays
    of_nobody = np.isin(arrays.anime_ids, [10, 11, 20])
    emptied = dataclasses.replace(
        arrays, watchers=np.where(of_nobody, 0, arrays.watchers), raters=np.where(of_nobody, 0, arrays.raters)
    )
    model = dataclasses.replace(bundle.model, arrays=emptied)
    return ModelBundle(model, Catalogue([*bundle.catalogue.values(), *NEW]))


def note_on_new(bundle: ModelBundle, *ratings: Rating, ignored: tuple[int, ...] = ()) -> str:
    others = [Rating(i, 7) for i in range(30, 60)]
    notes = recommend(UserList.of([*others, *ratings]), bundle, Preferences(ignored=ignored)).notes
    return "".join(note for note in notes if "new to the model" in note)


@pytest.mark.parametrize(
    ("watched", "named"),
    [
        ([], None),
        ([70_001], "1 watched title is new to the model (Obscure)"),
        ([70_001, 70_002], "2 watched titles are new to the model (Well-known and Obscure)"),
        ([70_001, 70_002, 70_003], "3 watched titles are new to the model (Well-known, Obscure and Nobody counted)"),
        (ALL_NEW, "4 watched titles are new to the model (Well-known, Known, Obscure and 1 more)"),
        # What has no name is counted all the same, and no id stands for one.
        ([70_001, NOWHERE], "2 watched titles are new to the model (Obscure and 1 more)"),
        ([NOWHERE], "1 watched title is new to the model"),
        # So is what has a row that nobody gave it.
        ([10, 20], "2 watched titles are new to the model (Anime 20 and Anime 10)"),
    ],
)
def test_a_note_counts_what_was_watched_and_is_new_and_names_the_best_known(
    newer: ModelBundle, watched: list[int], named: str | None
) -> None:
    ratings = [Rating(one, at * 3, Status.DROPPED if at == 2 else Status.COMPLETED) for at, one in enumerate(watched)]
    planned = [Rating(one, 9, Status.PLAN_TO_WATCH) for one in (80_000, 11)]
    seen, them = ("it counts", "it") if len(watched) == 1 else ("they count", "them")
    assert note_on_new(newer, *ratings, *planned) == (
        f"{named}: {seen} as seen, but nothing is learnt from {them}." if named else ""
    )
    assert not note_on_new(newer, *ratings, ignored=tuple(watched))  # what is left out by choice is no matter


def test_nothing_is_learnt_from_what_is_new(newer: ModelBundle) -> None:
    others = [Rating(i, 5 + i % 4) for i in range(30, 60)]
    with_them = UserList.of([Rating(10, 1), *others, Rating(20, 0, Status.WATCHING)])
    result, without = (recommend(one, newer, LONG).recommendations for one in (with_them, UserList.of(others)))
    left = tuple(one for one in without if one.anime_id not in {10, 20})
    assert result[: len(left)] == left
    assert not {10, 20} & {one.anime_id for one in result}
    assert profile(with_them, newer).counts.compared == len(others)
    # What is scored and only planned in training is not new.
    arrays = dataclasses.replace(newer.model.arrays, raters=np.maximum(newer.model.arrays.raters, 1))
    assert not note_on_new(ModelBundle(dataclasses.replace(newer.model, arrays=arrays), newer.catalogue), Rating(10, 8))


@pytest.mark.parametrize(
    ("anime_ids", "data_time", "said"),
    [
        (ALL_NEW, None, ""),
        (ALL_NEW, "2026-06-30", ""),
        (ALL_NEW, "2026-03-31", " Newer than its data of 31 March 2026: Well-known."),
        (ALL_NEW, "2026-03", " Newer than its data of March 2026: Well-known."),
        (ALL_NEW, "2026", ""),  # perhaps, perhaps not
        ([70_001, 70_002, NOWHERE], "2025", " Newer than its data of 2025: Well-known."),
        (ALL_NEW, "2025-08-15T10:00:00Z", " Newer than its data of 15 August 2025: Well-known, Known and Obscure."),
        ([70_001, 70_002], "2025-08-15", " Newer than its data of 15 August 2025: all of them."),
        ([70_002], "2025-08-15", " Newer than its data of 15 August 2025: it."),
        ([1], "1998", ""),  # whose year nobody knows
        ([2], "2015-04", " Newer than its data of April 2015: it."),
        ([2], "2016-04", ""),  # whose year alone is known
    ],
)
def test_a_note_tells_what_is_newer_than_the_data(anime_ids: list[int], data_time: str | None, said: str) -> None:
    catalogue = Catalogue([*NEW, Anime(anime_id=1, title="A"), Anime(anime_id=2, title="B", year=2016)])
    note = new_titles(anime_ids, catalogue, data_time)
    assert note.partition(" from them." if len(anime_ids) > 1 else " from it.")[2] == said


def test_a_title_that_the_catalogue_lacks_is_named_by_its_id(bundle: ModelBundle) -> None:
    seen = UserList.of(Rating(i, 7) for i in everything[:-1])
    assert recommend(seen, bundle, FEW).recommendations[0].title == f"MyAnimeList #{N_ITEMS}"


@settings(max_examples=60)
@given(user_list=user_lists(everything), hidden=st.lists(st.sampled_from([*everything, 99_999]), max_size=6))
def test_what_is_hidden_is_never_shown_and_nothing_else_changes(
    bundle: ModelBundle, user_list: UserList, hidden: list[int]
) -> None:
    """As far as it depends on nothing else: variety depends on what is above a title, and a shortlist has an end."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scoring, "SHORTLIST", N_ITEMS)
        everyone = recommend(user_list, bundle, Preferences(n=100, variety=0.0))
        rest = recommend(user_list, bundle, Preferences(n=100, variety=0.0, hidden=tuple(hidden)))

    kept = [one for one in everyone.recommendations if one.anime_id not in hidden]
    # What comes after the hundredth moves up.
    assert rest.recommendations[: len(kept)] == tuple(kept)
    assert not {one.anime_id for one in rest.recommendations} & set(hidden)


def test_of_a_series_that_is_hidden_nothing_else_comes_up(embedded: ModelBundle) -> None:
    series_of, titles = embedded.catalogue.series_of, popular_list(embedded, 5, 1)

    def ids(rule: FranchiseRule, *hidden: int) -> list[int]:
        chosen = Preferences(n=100, franchise=rule, variety=0.0, hidden=hidden)
        return [one.anime_id for one in recommend(titles, embedded, chosen).recommendations]

    listed = Counter(map(series_of, ids(FranchiseRule.ALL)))
    first = next(one for one in ids(FranchiseRule.NEW) if listed[series_of(one)] > 1)
    assert series_of(first) not in map(series_of, ids(FranchiseRule.NEW, first))
    # Where a series may have several titles, only the one is hidden.
    several = ids(FranchiseRule.ALL, first)
    assert first not in several
    assert series_of(first) in map(series_of, several)


def test_more_like_one_title_brings_its_likes_forward(embedded: ModelBundle) -> None:
    """Ghost stories, for someone who has seen hardly any."""
    titles = popular_list(embedded, 300)
    wanted = embedded.model.rows_of([150])[0][0]  # Blood+
    arrays = embedded.model.arrays
    near = arrays.pref_indices[arrays.pref_indptr[wanted] : arrays.pref_indptr[wanted + 1]]
    weights = arrays.pref_values[arrays.pref_indptr[wanted] : arrays.pref_indptr[wanted + 1]] * arrays.pref_scale[near]
    likes = set(arrays.anime_ids[near[np.argsort(-weights)[:50]]].tolist())

    usual = recommend(titles, embedded, FEW)
    leaning = recommend(titles, embedded, Preferences(n=20, like=(150,)))

    before, after = ({one.anime_id for one in found.recommendations} & likes for found in (usual, leaning))
    assert len(after) >= len(before) + 5
    assert any(why.anime_id == 150 for why in leaning.recommendations[0].reasons)
    # It is a wish, not a rating.
    ratings = {one.anime_id: one.predicted_rating for one in usual.recommendations}
    both = [one for one in leaning.recommendations if one.anime_id in ratings]
    assert both
    assert all(one.predicted_rating == ratings[one.anime_id] for one in both)
    by_rating = (Preferences(n=20, order=Order.PREDICTED_RATING, like=like) for like in ((150,), ()))
    wished, unwished = (recommend(titles, embedded, one) for one in by_rating)
    assert wished == unwished


@pytest.mark.parametrize(
    ("ratings", "preferences", "said"),
    [
        (
            [150],
            {"ignored": (150,)},
            "Without the entries that are left out, the list has no watched title that we know",
        ),
        ([], {"like": (150,)}, "The list is empty, so these are titles like the ones you asked for more of."),
        ([150], {"ignored": (150,), "like": (19,)}, "so these are titles like the ones you asked for more of."),
        ([900_000], {"ignored": (1,)}, "no watched title that we know"),
    ],
)
def test_a_note_does_not_say_of_a_list_what_the_choices_made_of_it(
    embedded: ModelBundle, ratings: list[int], preferences: dict[str, Any], said: str
) -> None:
    result = recommend(UserList.of(Rating(one, 9) for one in ratings), embedded, Preferences(**preferences))
    notes = " ".join(result.notes)
    assert said in notes
    assert ("many people watch and like" in notes) == ("like" not in preferences) == (not result.personal)
