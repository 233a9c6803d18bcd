"""What goes to Continue, what begins a new series, and what is said of either: small catalogues, told by hand."""

from collections.abc import Collection
from datetime import date
from typing import Any

import msgspec
import pytest

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.ratings import FranchiseRule, Order, Preferences, Rating, Recommendations, Status, UserList
from hakken.recommend import recommend
from hakken.recommend.series_notes import coming

TODAY = date(2026, 11, 26)
TOLD = "Told"
"""The genre of the titles below, which all lists here ask for: nothing else is in their way."""
NO_ROW = 70_000
"""An anime that only the catalogue knows."""


def told_of(bundle: ModelBundle, *anime: Anime) -> ModelBundle:
    """The small model where these take the place of its titles, each of which stands alone."""
    rest = {one.anime_id: one for one in bundle.catalogue.values() if not one.adult}
    return ModelBundle(bundle.model, Catalogue((rest | {one.anime_id: one for one in anime}).values()))


def entry(anime_id: int, title: str, part: int | None = 1, **facts: Any) -> Anime:
    """An entry of the series that begins with 10, unless it is told otherwise."""
    usual: dict[str, Any] = {"type": "TV", "series": 10, "kind": "main" if part else "special", "members": anime_id}
    return Anime(anime_id=anime_id, title=title, part=part, **({"genres": (TOLD,)} | usual | facts))


def asked(bundle: ModelBundle, *seen: int | Rating, today: date | None = TODAY, **chosen: Any) -> Recommendations:
    entries = (one if isinstance(one, Rating) else Rating(one, 8) for one in seen)
    usual: dict[str, Any] = {"n": 100, "adult": True, "genres": (TOLD,)}
    return recommend(UserList.of(entries), bundle, Preferences(**usual | chosen), today)


def continued(found: Recommendations) -> dict[int, str | None]:
    return {one.anime_id: one.series_note for one in found.continues}


def new(found: Recommendations, among: Collection[int]) -> dict[int, str | None]:
    return {one.anime_id: one.series_note for one in found.recommendations if one.anime_id in among}


# Continue


SEASONS = [entry(10, "Show"), entry(11, "Show 2nd Season", 2), entry(12, "Show 3rd Season", 3)]


@pytest.mark.parametrize(
    ("titles", "note"),
    [
        (["Show", "Show 2nd Season", "Show 3rd Season"], "Season 2 of 3."),
        (["Show", "Show II", "Show: The Last"], "Season 2 of 3."),
        (["Show", "Show: Another Name", "Show 3"], "Part 2 of 3."),  # no title says that it is a season
        (["Show", "Show Season 1 Part 2", "Show Season 2"], "Part 2 of 3."),
        (["Show", "Show Part 2", "Show Part 3"], "Part 2 of 3."),
        (["Show", "Show 2nd Season", "Show 2nd Season Part 2"], "Part 2 of 3."),  # three parts, but two seasons
        (["Show", "Show 2nd Season", "Show Season 4"], "Part 2 of 3."),
    ],
)
def test_a_season_is_counted_as_one_where_titles_count_likewise(
    bundle: ModelBundle, titles: list[str], note: str
) -> None:
    told = told_of(bundle, *(entry(9 + part, title, part) for part, title in enumerate(titles, start=1)))
    assert continued(asked(told, 10)) == {11: note}


def test_films_continue_in_their_place(bundle: ModelBundle) -> None:
    film = entry(11, "Show Movie 2", 2, type="Movie", kind="film")
    told = told_of(bundle, SEASONS[0], film, SEASONS[2])
    assert continued(asked(told, 10)) == {11: "Part 2 of 3."}
    assert continued(asked(told, 10, 11)) == {12: "Part 3 of 3."}
    # With a later one seen, what was passed over comes next.
    assert continued(asked(told, 10, 12)) == {11: "Part 2 of 3."}
    assert continued(asked(told, 11)) == {10: "Part 1 of 3."}
    only = told_of(bundle, *(entry(9 + part, f"Film {part}", part, type="Movie", kind="film") for part in (1, 2, 3)))
    assert continued(asked(only, 10, 11)) == {12: "Film 3 of 3."}


def test_of_what_was_dropped_hidden_or_not_begun_nothing_continues(bundle: ModelBundle) -> None:
    told = told_of(bundle, *SEASONS, entry(13, "Show: The Movie", 4, type="Movie", kind="film"))
    assert continued(asked(told)) == continued(asked(told, 30)) == {}
    assert continued(asked(told, Rating(10, 9, Status.PLAN_TO_WATCH))) == {}
    assert continued(asked(told, 10, Rating(11, 3, Status.DROPPED))) == {}
    assert continued(asked(told, 10, hidden=(13,))) == {}
    assert continued(asked(told, 10, types=("Movie",))) == {}  # filters count here too, and nothing is passed over
    assert continued(asked(told, 10, 11, 12, 13)) == {}
    for found in (asked(told, 10), asked(told, 10, Rating(11, 3, Status.DROPPED)), asked(told, 10, 11, 12, 13)):
        assert new(found, range(10, 14)) == {}


def test_what_tells_again_or_goes_beside_is_not_next(bundle: ModelBundle) -> None:
    beside = [
        entry(13 + at, f"Show: {kind}", None, kind=kind, type=type_)
        for at, (kind, type_) in enumerate(
            [("recap", "Movie"), ("special", "Special"), ("side story", "OVA"), ("extra", "Music"), ("recap", "TV")]
        )
    ]
    told = told_of(bundle, *SEASONS, *beside)
    assert continued(asked(told, 10, 11, 12)) == {}
    assert new(asked(told, 10, 11, 12), range(10, 20)) == {}
    assert new(asked(told), range(10, 20)) == {10: None}  # one title of a new series, where it begins
    # Who has only seen what goes beside has begun all the same.
    assert continued(asked(told, 14)) == {10: "Part 1 of 3."}
    one = told_of(bundle, SEASONS[0], beside[0])
    assert continued(asked(one, 13)) == {10: None}  # "part 1 of 1" says nothing


def test_what_goes_beside_is_no_recommendation_unless_asked_for(bundle: ModelBundle) -> None:
    """Where the filters leave nothing of a series but what is beside it, it stays out too."""
    special = entry(11, "Show Special", None, type="Special", year=2020)
    alone = entry(20, "Song", None, series=None, kind="extra", type="Music", year=2020)
    told = told_of(bundle, entry(10, "Show", year=1999), special, alone)
    assert new(asked(told, year_from=2010), (10, 11, 20)) == {}
    found = new(asked(told, types=("Special", "Music")), (10, 11, 20))
    assert found == {11: "Its series begins with Show, which the filters leave out.", 20: None}


@pytest.mark.parametrize("rule", [FranchiseRule.NEW, FranchiseRule.UNRELATED])
@pytest.mark.parametrize(("part", "following"), [(1, 11), (2, 10), (None, 10)])
def test_what_only_the_catalogue_knows_begins_its_series(
    bundle: ModelBundle, rule: FranchiseRule, part: int | None, following: int
) -> None:
    """A list may hold what nobody in training had: nothing of its series is new, and the next entry continues it."""
    others = (msgspec.structs.replace(one, series=NO_ROW) for one in SEASONS if one.part != part)
    told = told_of(bundle, entry(NO_ROW, "Unknown", part, series=NO_ROW), *others)
    for score, status, continues in (
        (9, Status.COMPLETED, {following}),
        (9, Status.WATCHING, {following}),
        (2, Status.DROPPED, set()),
        (0, Status.PLAN_TO_WATCH, set()),
    ):
        found = asked(told, Rating(NO_ROW, score, status), franchise=rule)
        assert continued(found).keys() == continues
        assert len(new(found, (10, 11, 12))) == (status is Status.PLAN_TO_WATCH)


def test_a_next_entry_that_the_model_does_not_know_is_not_passed_over(bundle: ModelBundle) -> None:
    """What has no row can't be judged, and what comes after it is not next."""
    told = told_of(bundle, SEASONS[0], entry(NO_ROW, "Unknown", 2), SEASONS[2])
    for seen, following in (((10,), set()), ((10, NO_ROW), {12}), ((NO_ROW,), {10}), ((10, 12), set())):
        found = asked(told, *seen)
        assert continued(found).keys() == following
        assert new(found, (10, 12)) == {}


def test_what_likely_continues_is_in_continue_and_says_so(bundle: ModelBundle) -> None:
    likely = entry(12, "Show: Beyond", 3, probable=True)
    told = told_of(bundle, *SEASONS[:2], likely)
    found = asked(told, 10, 11)
    assert continued(found) == {12: "Probably continues Show 2nd Season."}
    assert new(found, (10, 11, 12)) == {}
    # What is sure goes on as it does. The other way round is no surer.
    assert continued(asked(told, 10, 12)) == {11: "Season 2 of 3."}
    assert continued(asked(told, 12)) == {10: "Probably belongs with Show: Beyond."}
    assert continued(asked(told, 12, 10)) == {11: "Season 2 of 3."}
    after = told_of(bundle, SEASONS[0], entry(11, "Beyond", 2, probable=True), entry(12, "After", 3, probable=True))
    assert continued(asked(after, 11, 10)) == {12: "Probably continues Beyond."}


# What is still to come


@pytest.mark.parametrize(
    ("began", "facts", "said"),
    [
        ("2027", {}, "Announced for 2027."),
        ("2026-12", {}, "Announced for December 2026."),
        ("2026-11-27", {}, "Announced for 27 November 2026."),
        ("2026", {}, None),  # of this year; before today or after, nobody knows
        ("2026", {"episodes": 60}, None),
        ("2026-11", {"episodes": None}, None),
        ("2026-11-26", {"episodes": 12}, "Airing since November 2026."),
        ("2026-10", {"episodes": 12}, "Airing since October 2026."),
        ("2026-10-01", {"episodes": 8}, None),  # the eighth was on 19 November
        ("2026-10-08", {"episodes": 8}, "Airing since October 2026."),  # the eighth is today
        ("2026-10-01", {"episodes": None}, None),
        ("2026-11-20", {"episodes": 12, "type": "ONA"}, None),  # all at once, maybe
        ("2026-11-20", {"episodes": 12, "type": "Movie"}, None),
        ("1998-04-03", {"episodes": 26}, None),
        ("1999-10-20", {"episodes": None}, None),
        ("2026-02-31", {"episodes": 60}, "Airing since February 2026."),  # a date that a site made up
        ("0000-01-01", {"episodes": 10**6}, None),
        (None, {}, None),
    ],
)
def test_only_what_the_date_tells_is_said(began: str | None, facts: dict[str, Any], said: str | None) -> None:
    one = entry(11, "Show", **({"start_date": began} | facts))
    assert coming(one, TODAY) == said
    assert coming(one, None) is None


@pytest.mark.parametrize(
    ("today", "coming_soon"), [(TODAY, " Announced for January 2027."), (date(2027, 1, 1), ""), (None, "")]
)
def test_it_follows_what_is_continued(bundle: ModelBundle, today: date | None, coming_soon: str) -> None:
    for probable, said in ((False, "Season 2 of 3."), (True, "Probably continues Show.")):
        second = msgspec.structs.replace(SEASONS[1], start_date="2027-01", probable=probable)
        told = told_of(bundle, SEASONS[0], second, SEASONS[2])
        assert continued(asked(told, 10, today=today)) == {11: f"{said}{coming_soon}"}


# What is new


def other(anime_id: int, title: str, **facts: Any) -> Anime:
    """Another series, that stands alone unless told otherwise."""
    return Anime(anime_id=anime_id, title=title, **({"type": "TV", "kind": "main", "genres": (TOLD,)} | facts))


def test_of_a_begun_universe_one_series_is_new_and_says_so(bundle: ModelBundle) -> None:
    gundam = [msgspec.structs.replace(one, universe=10) for one in SEASONS]
    told = told_of(bundle, *gundam, other(20, "Zeta", universe=10), other(21, "Wing", universe=10))
    found = asked(told, 10)
    assert list(new(found, (20, 21)).values()) == ["Same universe as Show."]
    assert continued(found) == {11: "Season 2 of 3."}
    assert len(new(asked(told, franchise=FranchiseRule.UNRELATED), (10, 20, 21))) == 1
    assert new(asked(told, 10, franchise=FranchiseRule.UNRELATED), (20, 21)) == {}
    # Of what nothing was seen, each series is new, and nothing is said.
    assert new(asked(told), (10, 20, 21)) == {10: None, 20: None, 21: None}


def test_a_universe_is_named_by_where_it_was_begun_best(bundle: ModelBundle) -> None:
    """A later season, or what was dropped, names it only where there is nothing else; else the best known does."""
    facts: dict[str, Any] = {"universe": 10}
    told = told_of(
        bundle,
        entry(10, "Show", members=5, **facts),
        entry(11, "Show 2nd Season", 2, members=900, **facts),
        other(20, "Zeta", members=7, **facts),
        other(21, "Wing", members=100, **facts),
        other(22, "Other", **facts),
    )
    assert set(new(asked(told, 10, 11), (22, 20, 21)).values()) == {"Same universe as Show."}
    assert new(asked(told, 11, 20, 21), (22,)) == {22: "Same universe as Wing."}
    assert new(asked(told, 11, 20, Rating(21, 2, Status.DROPPED)), (22,)) == {22: "Same universe as Zeta."}
    assert new(asked(told, 11, hidden=(20, 21)), (22,)) == {22: "Same universe as Show 2nd Season."}


def test_another_telling_says_so_and_both_are_never_in_one_list(bundle: ModelBundle) -> None:
    tellings = [other(one, f"Trigun {one}", story=20, universe=20) for one in (20, 21, 22)]
    film = other(23, "Trigun: The Film", type="Movie", kind="film", story=20, universe=20)
    told = told_of(bundle, *tellings, film)
    assert len(new(asked(told), range(20, 24))) == 1
    found = new(asked(told, 21), range(20, 24))
    assert list(found.values()) == ["Another telling of Trigun 21."]
    assert 23 not in found  # a film would only tell it shorter
    assert not asked(told, 21).continues
    assert new(asked(told, 20, 21, 22), range(20, 24)) == {}


def test_films_that_tell_a_story_anew_in_several_parts_are_another_telling(bundle: ModelBundle) -> None:
    film: dict[str, Any] = {"type": "Movie", "series": 11, "story": 20, "universe": 20}
    films = (entry(10 + part, f"Rebuild {part}", part, **film) for part in (1, 2, 3))
    told = told_of(bundle, other(20, "Evangelion", universe=20), *films)
    assert new(asked(told, 20), range(10, 14)) == {11: "Another telling of Evangelion."}
    assert not asked(told, 20).continues
    assert continued(asked(told, 20, 11)) == {12: "Film 2 of 3."}


def test_where_a_series_begins_is_said_of_what_does_not_begin_it(bundle: ModelBundle) -> None:
    dated = [msgspec.structs.replace(one, year=2000 + one.anime_id) for one in SEASONS]
    told = told_of(bundle, *dated)
    for order in Order:
        found = new(asked(told, order=order, year_from=2011), (10, 11, 12))
        assert found == {11: "Its series begins with Show, which the filters leave out."}
    lacking = [msgspec.structs.replace(one, series=NO_ROW, part=one.part and one.part + 1) for one in dated]
    found = new(asked(told_of(bundle, entry(NO_ROW, "Before", series=NO_ROW), *lacking)), (10, 11, 12))
    assert found == {10: "Its series begins with Before, of which too little is known to recommend it."}


def test_with_all_allowed_a_begun_series_is_counted_and_a_new_one_begins_somewhere(bundle: ModelBundle) -> None:
    told = told_of(bundle, *SEASONS, entry(13, "Show Special", None, type="Special"))
    found = asked(told, franchise=FranchiseRule.ALL)
    assert new(found, (10, 11, 12, 13)) == {10: None, **dict.fromkeys((11, 12, 13), "Its series begins with Show.")}
    begun = asked(told, 10, franchise=FranchiseRule.ALL)
    assert new(begun, (11, 12, 13)) == {11: "Season 2 of 3.", 12: "Season 3 of 3.", 13: None}
    assert not begun.continues


@pytest.mark.parametrize("title", ["Zeta", "K-On!", "Air.", "Who?", "Yes…"])
def test_both_may_be_said_of_one_and_a_title_may_end_its_sentence_itself(bundle: ModelBundle, title: str) -> None:
    dated = [msgspec.structs.replace(one, universe=20, year=2000 + one.anime_id) for one in SEASONS]
    told = told_of(bundle, other(20, title, universe=20), *dated)
    end = "." if title == "Zeta" else ""
    assert new(asked(told, 20, year_from=2011), (10, 11, 12)) == {
        11: f"Same universe as {title}{end} Its series begins with Show, which the filters leave out."
    }


def test_a_title_for_adults_is_not_named_to_whoever_did_not_ask(bundle: ModelBundle) -> None:
    told = told_of(bundle, msgspec.structs.replace(SEASONS[0], adult=True), *SEASONS[1:])
    assert new(asked(told, adult=False), (10, 11, 12)) == {11: None}


def test_what_the_catalogue_lacks_has_nothing_said_of_it(bundle: ModelBundle) -> None:
    bare = ModelBundle(bundle.model, Catalogue([]))
    assert {one.series_note for one in asked(bare, 10, 20, genres=()).recommendations} == {None}
