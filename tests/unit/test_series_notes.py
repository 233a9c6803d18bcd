"""What goes to Continue, what begins a new series, and what is said of either: small catalogues, told by hand."""

from datetime import date
from typing import Any

import msgspec
import pytest

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.ratings import FranchiseRule, Order, Preferences, Rating, Recommendations, Status, TitleNames, UserList
from hakken.recommend import recommend
from hakken.recommend.series_notes import coming

TODAY = date(2026, 11, 26)
TOLD = "Told"
"""The genre of the titles below, which all lists here ask for: nothing else is in their way."""
NO_ROW = 70_000
"""An anime that only the catalogue knows."""
Notes = dict[int, str | None]
"""Ids of titles → what is said of each."""


def told_of(bundle: ModelBundle, *anime: Anime) -> ModelBundle:
    """The small model where these take the place of its titles, each of which stands alone."""
    rest = {one.anime_id: one for one in bundle.catalogue.values() if not one.adult}
    return ModelBundle(bundle.model, Catalogue((rest | {one.anime_id: one for one in anime}).values()))


def entry(anime_id: int, title: str, part: int | None = 1, **facts: Any) -> Anime:
    """An entry of the series that begins with 10, unless it is told otherwise."""
    usual: dict[str, Any] = {"type": "TV", "series": 10, "kind": "main" if part else "special", "members": anime_id}
    return Anime(anime_id=anime_id, title=title, part=part, **({"genres": (TOLD,)} | usual | facts))


def other(anime_id: int, title: str, **facts: Any) -> Anime:
    """Another series, that stands alone unless told otherwise."""
    return Anime(anime_id=anime_id, title=title, **({"type": "TV", "kind": "main", "genres": (TOLD,)} | facts))


def asked(bundle: ModelBundle, *seen: int | Rating, today: date | None = TODAY, **chosen: Any) -> Recommendations:
    entries = (one if isinstance(one, Rating) else Rating(one, 8) for one in seen)
    usual: dict[str, Any] = {"n": 100, "adult": True, "genres": (TOLD,)}
    return recommend(UserList.of(entries), bundle, Preferences(**usual | chosen), today)


def continued(found: Recommendations) -> Notes:
    return {one.anime_id: one.about_series or None for one in found.continues}


def new(found: Recommendations) -> Notes:
    return {one.anime_id: one.about_series or None for one in found.recommendations}


def changed(of: list[Anime], **facts: Any) -> list[Anime]:
    return [msgspec.structs.replace(one, **facts) for one in of]


SEASONS = [entry(10, "Show"), entry(11, "Show 2nd Season", 2), entry(12, "Show 3rd Season", 3)]
WITH_MOVIE = [*SEASONS, entry(13, "Show: The Movie", 4, type="Movie", kind="film")]
FILM_BETWEEN = [SEASONS[0], entry(11, "Show Movie 2", 2, type="Movie", kind="film"), SEASONS[2]]
FILMS = [entry(9 + part, f"Film {part}", part, type="Movie", kind="film") for part in (1, 2, 3)]
BESIDE = [
    entry(13, "Show: Recap", None, kind="recap", type="Movie"),
    entry(14, "Show: Special", None, type="Special"),
    entry(15, "Show: Side", None, kind="side story", type="OVA"),
    entry(16, "Show: Extra", None, kind="extra", type="Music"),
    entry(17, "Show: Recap", None, kind="recap", type="TV"),
]
SPECIALS = [
    entry(10, "Show", year=1999),
    entry(11, "Show Special", None, type="Special", year=2020),
    entry(20, "Song", None, series=None, kind="extra", type="Music", year=2020),
]
GAP = [SEASONS[0], entry(NO_ROW, "Unknown", 2), SEASONS[2]]
LIKELY = [*SEASONS[:2], entry(12, "Show: Beyond", 3, probable=True)]
LIKELY_BOTH = [SEASONS[0], entry(11, "Beyond", 2, probable=True), entry(12, "After", 3, probable=True)]
GUNDAM = [*changed(SEASONS, universe=10), other(20, "Zeta", universe=10), other(21, "Wing", universe=10)]
WORLD = [
    entry(10, "Show", members=5, universe=10),
    entry(11, "Show 2nd Season", 2, members=900, universe=10),
    other(20, "Zeta", members=7, universe=10),
    other(21, "Wing", members=100, universe=10),
    other(22, "Other", universe=10),
]
TRIGUN = [other(one, f"Trigun {one}", story=20, universe=20) for one in (20, 21, 22)]
TRIGUN.append(other(23, "Trigun: The Film", type="Movie", kind="film", story=20, universe=20))
REBUILD = [other(20, "Evangelion", universe=20)]
REBUILD += [
    entry(10 + part, f"Rebuild {part}", part, type="Movie", series=11, story=20, universe=20) for part in (1, 2, 3)
]
DATED = [msgspec.structs.replace(one, year=2000 + one.anime_id) for one in SEASONS]
LACKING = [msgspec.structs.replace(one, series=NO_ROW, part=one.part and one.part + 1) for one in DATED]
LACKING.append(entry(NO_ROW, "Before", series=NO_ROW))
OUT = "Its series begins with Show, which the filters leave out."
ALL = {"franchise": FranchiseRule.ALL}
DROPPED = Rating(11, 3, Status.DROPPED)


@pytest.mark.parametrize(
    ("of", "seen", "chosen", "continues", "begins"),
    [
        # Films continue in their place. With a later one seen, what was passed over comes next.
        (FILM_BETWEEN, (10,), {}, {11: "Part 2 of 3."}, {}),
        (FILM_BETWEEN, (10, 11), {}, {12: "Part 3 of 3."}, {}),
        (FILM_BETWEEN, (10, 12), {}, {11: "Part 2 of 3."}, {}),
        (FILM_BETWEEN, (11,), {}, {10: "Part 1 of 3."}, {}),
        (FILMS, (10, 11), {}, {12: "Film 3 of 3."}, {}),
        # Of what was dropped, hidden, seen or not begun nothing continues.
        (WITH_MOVIE, (), {}, {}, {10: None}),
        (WITH_MOVIE, (30,), {}, {}, {10: None}),
        (WITH_MOVIE, (Rating(10, 9, Status.PLAN_TO_WATCH),), {}, {}, {10: None}),
        (WITH_MOVIE, (10, DROPPED), {}, {}, {}),
        (WITH_MOVIE, (10,), {"hidden": (13,)}, {}, {}),
        (WITH_MOVIE, (10,), {"types": ("Movie",)}, {}, {}),  # filters count here too, and nothing is passed over
        (WITH_MOVIE, (10, 11, 12, 13), {}, {}, {}),
        # What tells again or goes beside is not next; who has only seen that has begun all the same.
        (SEASONS + BESIDE, (10, 11, 12), {}, {}, {}),
        (SEASONS + BESIDE, (), {}, {}, {10: None}),  # one title of a new series, where it begins
        (SEASONS + BESIDE, (14,), {}, {10: "Part 1 of 3."}, {}),
        ([SEASONS[0], BESIDE[0]], (13,), {}, {10: None}, {}),  # "part 1 of 1" says nothing
        # What goes beside is no recommendation unless asked for, even where the filters leave nothing else.
        (SPECIALS, (), {"year_from": 2010}, {}, {}),
        (SPECIALS, (), {"types": ("Special", "Music")}, {}, {11: OUT, 20: None}),
        # What has no row can't be judged, and what comes after it is not next.
        (GAP, (10,), {}, {}, {}),
        (GAP, (10, NO_ROW), {}, {12: "Season 3 of 3."}, {}),
        (GAP, (NO_ROW,), {}, {10: "Part 1 of 3."}, {}),
        (GAP, (10, 12), {}, {}, {}),
        # What likely continues says so, and goes on as it does where it is sure. The other way round is no surer.
        (LIKELY, (10, 11), {}, {12: "Probably continues Show 2nd Season."}, {}),
        (LIKELY, (10, 12), {}, {11: "Season 2 of 3."}, {}),
        (LIKELY, (12,), {}, {10: "Probably belongs with Show: Beyond."}, {}),
        (LIKELY, (12, 10), {}, {11: "Season 2 of 3."}, {}),
        (LIKELY_BOTH, (11, 10), {}, {12: "Probably continues Beyond."}, {}),
        # Of a universe of which nothing was seen, each series is new, and nothing is said.
        (GUNDAM, (), {}, {}, {10: None, 20: None, 21: None}),
        (GUNDAM, (10,), {"franchise": FranchiseRule.UNRELATED}, {11: "Season 2 of 3."}, {}),
        # A later season, or what was dropped, names a universe only where there is nothing else; else the best known.
        (WORLD, (11, 20, 21), {}, {10: "Part 1 of 2."}, {22: "Same universe as Wing."}),
        (WORLD, (11, 20, Rating(21, 2, Status.DROPPED)), {}, {10: "Part 1 of 2."}, {22: "Same universe as Zeta."}),
        (WORLD, (11,), {"hidden": (20, 21)}, {10: "Part 1 of 2."}, {22: "Same universe as Show 2nd Season."}),
        # Films that tell a story anew in several parts are another telling.
        (REBUILD, (20,), {}, {}, {11: "Another telling of Evangelion."}),
        (REBUILD, (20, 11), {}, {12: "Film 2 of 3."}, {}),
        (TRIGUN, (20, 21, 22), {}, {}, {}),
        # Where a series begins is said of what does not begin it, but to nobody who did not ask for titles for adults.
        *((DATED, (), {"order": order, "year_from": 2011}, {}, {11: OUT}) for order in Order),
        (LACKING, (), {}, {}, {10: "Its series begins with Before, which we know too little about to recommend."}),
        (changed(SEASONS[:1], adult=True) + SEASONS[1:], (), {"adult": False}, {}, {11: None}),
        # With all allowed, a begun series is counted, and a new one begins somewhere.
        (SEASONS, (), ALL, {}, {10: None, **dict.fromkeys((11, 12), "Its series begins with Show.")}),
        (SEASONS + BESIDE[1:2], (10,), ALL, {}, {11: "Season 2 of 3.", 12: "Season 3 of 3.", 14: None}),
        # Both may be said of one, and a title may end its sentence itself.
        *(
            (
                [other(20, title, universe=20), *changed(DATED, universe=20)],
                (20,),
                {"year_from": 2011},
                {},
                {11: f"Same universe as {title}{end} {OUT}"},
            )
            for title, end in (("Zeta", "."), ("K-On!", ""), ("Air.", ""), ("Who?", ""), ("Yes…", ""))
        ),
    ],
)
def test_what_continues_what_is_new_and_what_is_said_of_it(
    bundle: ModelBundle,
    of: list[Anime],
    seen: tuple[int | Rating, ...],
    chosen: dict[str, Any],
    continues: Notes,
    begins: Notes,
) -> None:
    found = asked(told_of(bundle, *of), *seen, **chosen)
    assert (continued(found), new(found)) == (continues, begins)


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
        assert len(new(found)) == (status is Status.PLAN_TO_WATCH)


def test_of_a_begun_universe_and_of_a_story_one_title_is_new_and_says_so(bundle: ModelBundle) -> None:
    for of, seen, said in (
        (GUNDAM, 10, "Same universe as Show."),
        (WORLD, 10, "Same universe as Show."),
        (TRIGUN, 21, "Another telling of Trigun 21."),
    ):
        [(found, note)] = new(asked(told_of(bundle, *of), seen)).items()
        assert note == said
        assert found != 23  # a film would only tell it shorter
    unrelated = asked(told_of(bundle, *GUNDAM), franchise=FranchiseRule.UNRELATED)
    assert len(new(unrelated)) == len(new(asked(told_of(bundle, *TRIGUN)))) == 1


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
        second = changed(SEASONS[1:2], start_date="2027-01", probable=probable)
        told = told_of(bundle, SEASONS[0], *second, SEASONS[2])
        assert continued(asked(told, 10, today=today)) == {11: f"{said}{coming_soon}"}


def test_what_the_catalogue_lacks_has_nothing_said_of_it(bundle: ModelBundle) -> None:
    bare = ModelBundle(bundle.model, Catalogue([]))
    assert {one.about_series for one in asked(bare, 10, 20, genres=()).recommendations} == {""}


def test_what_is_counted_does_not_depend_on_the_names_that_are_shown(bundle: ModelBundle) -> None:
    numbered = [
        msgspec.structs.replace(one, title_english=f"Show {number}", title_japanese=f"\N{KATAKANA LETTER SO} {number}")
        for one, number in zip(SEASONS, (7, 9, 1), strict=True)
    ]
    beside = other(20, "Zeta", universe=10)
    made = told_of(bundle, *changed(numbered, universe=10), beside)
    for names, first in (("romaji", "Show"), ("english", "Show 7"), ("japanese", "\N{KATAKANA LETTER SO} 7")):
        view = made.named(TitleNames(names))
        assert continued(asked(view, 10)) == {11: "Season 2 of 3."}
        assert new(asked(view, 10)) == {20: f"Same universe as {first}."}
