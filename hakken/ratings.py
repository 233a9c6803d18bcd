"""Ratings, lists, preferences and recommendations: the types that all parts of Hakken share.

Scores are MyAnimeList's whole points 1-10; 0 (in some tables -1) means "on the list, not scored".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self, cast

import msgspec
from msgspec import Meta, inspect

from hakken.about import about
from hakken.errors import BadOption, BadUsername
from hakken.seasons import PATTERN

MIN_SCORE = 1
MAX_SCORE = 10
MAX_N = 100
"""Longest list of recommendations that a person may ask for."""
FEWEST_RATERS = 3
"""A title that fewer people in training scored has no predicted rating: of two scores, its bias would still be half the
regulariser's, and the rest two people's."""
MAX_ANIME_ID = 2**31 - 1
"""Ids are stored as 32-bit integers."""
MAX_ENTRIES = 50_000
"""No list is longer, for no site knows as many anime: a source that gives more entries goes round in circles."""

Score = Annotated[int, Meta(ge=-1, le=MAX_SCORE)]
"""As sites and tables have it: 0 and -1 both mean that there is none."""
AnimeId = Annotated[int, Meta(ge=1, le=MAX_ANIME_ID)]

MAX_LENGTH = 64
"""Characters of one field that are read; longer than any type or genre."""
MAX_IGNORED = 100
"""How many entries of a list can be left out at once: an address has to hold them all."""
MAX_LIKED = 10
"""For how many titles "more like this" can be asked at once."""
Name = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
Names = Annotated[tuple[Name, ...], Meta(max_length=50)]
Ids = Annotated[tuple[AnimeId, ...], Meta(max_length=MAX_IGNORED)]
SEEN = re.compile(r"([1-9][0-9]{0,9})-([0-9]|10)")
"""A title that was seen, by its id, and its score; 0 means none."""
Seen = Annotated[str, Meta(pattern=f"^{SEEN.pattern}$")]
Year = Annotated[int, Meta(ge=1900, le=2200)]


USERNAME = "[A-Za-z0-9_-]{2,20}"


class Status(StrEnum):
    """How far someone got with an anime, in MyAnimeList's words."""

    WATCHING = "watching"
    COMPLETED = "completed"
    ON_HOLD = "on_hold"
    DROPPED = "dropped"
    PLAN_TO_WATCH = "plan_to_watch"


STATUS_OF_CODE = dict(zip((1, 2, 3, 4, 6), Status, strict=True))
"""MyAnimeList's numbers for the statuses; there is no 5."""
CODE_OF_STATUS = {status: code for code, status in STATUS_OF_CODE.items()}


class Site(StrEnum):
    """A site that keeps lists."""

    MAL = "mal"
    ANILIST = "anilist"


class TitleNames(StrEnum):
    """Which of its names a title is shown by, where it has that one; otherwise it is the main one."""

    ENGLISH = "english"
    ROMAJI = "romaji"  # the main title: most are Japanese in Latin letters
    JAPANESE = "japanese"


class Rating(msgspec.Struct, frozen=True):
    """One entry of a list. Its ranges are checked when it is decoded, not when code makes one."""

    anime_id: Annotated[AnimeId, about("MyAnimeList id.")]
    score: Annotated[Score, about('1-10, or 0 for "not scored"; -1 is read as 0.')] = 0
    status: Annotated[Status, about("How far the person got; none given means completed.")] = Status.COMPLETED

    @property
    def scored(self) -> bool:
        """Whether the entry has a score."""
        return self.score >= MIN_SCORE

    @property
    def seen(self) -> bool:
        """Whether the anime is never recommended: true for all but planned entries."""
        return self.status is not Status.PLAN_TO_WATCH


class UserList(msgspec.Struct, frozen=True):
    """Someone's list, each anime once. Build it with `of`.

    Attributes:
        ratings: the entries, in the order the source gave them.
        skipped: number of entries whose anime could not be read.
        repeats: number of entries that were replaced by a later one for the same anime.
        unclear: number of entries whose status or score could not be read: they count as completed or not scored.
        manga: number of manga that were left out.
        repaired: whether the file had to be repaired to be read.
        updated: day on which the newest change was made, such as "2026-03-01"; None where the site does not tell.
    """

    ratings: tuple[Rating, ...] = ()
    skipped: int = 0
    repeats: int = 0
    unclear: int = 0
    manga: int = 0
    repaired: bool = False
    updated: str | None = None

    @classmethod
    def of(cls, ratings: Iterable[Rating | None], *, skipped: int = 0) -> Self:
        """Make a list in which each anime stands once; of repeated entries the last counts.

        Args:
            ratings: the entries; None stands for one that could not be read.
            skipped: how many more could not be read.
        """
        entries = tuple(ratings)
        read = [rating for rating in entries if rating is not None]
        last = {rating.anime_id: rating for rating in read}
        return cls(tuple(last.values()), skipped + len(entries) - len(read), len(read) - len(last))

    def __len__(self) -> int:
        return len(self.ratings)

    def with_seen(self, seen: Iterable[str]) -> Self:
        """The list with further titles that were seen, as `Preferences.seen` has them; they replace its own entries."""
        parts = (text.partition("-") for text in seen)
        added = {int(anime_id): Rating(int(anime_id), int(score)) for anime_id, _, score in parts}
        kept = (rating for rating in self.ratings if rating.anime_id not in added)
        return msgspec.structs.replace(self, ratings=(*kept, *added.values())) if added else self

    @property
    def scored(self) -> Iterator[Rating]:
        """The entries with a score."""
        return (rating for rating in self.ratings if rating.scored)

    @property
    def seen(self) -> Iterator[Rating]:
        """The entries that are never recommended."""
        return (rating for rating in self.ratings if rating.seen)


class Username(msgspec.Struct, frozen=True):
    """A name on a site, without white space around it, safe to use in a URL.

    Raises:
        BadUsername: the name is valid neither on MyAnimeList nor on AniList.
    """

    name: str
    site: Site = Site.MAL

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "name", self.name.strip())
        if not re.fullmatch(USERNAME, self.name):
            raise BadUsername("A username has 2 to 20 characters: letters from a to z, digits, - and _.")


class Order(StrEnum):
    """What a list is ordered by."""

    MATCH = "match"
    PREDICTED_RATING = "predicted_rating"


class FranchiseRule(StrEnum):
    """Which titles a list may hold of series that the visitor has begun."""

    NEW = "new"  # no title of a series that they have begun
    UNRELATED = "unrelated"  # nor of another series of a universe that they have begun
    ALL = "all"


class Planned(StrEnum):
    """How titles that the visitor plans to watch are treated."""

    SHOW = "show"
    HIDE = "hide"
    ONLY = "only"  # all others are left out


_NAMES = {"types": "type", "genres": "genre", "without_genres": "without_genre", "ignored": "ignore", "hidden": "hide"}
_NAMES |= {"studios": "studio"}
"""Fields of `Preferences` whose name for visitors and programs is another."""


def _option(label: str, description: str) -> Meta:
    """About a field of `Preferences`; the label begins the message about a value that can't be used."""
    return Meta(description=description, extra={"label": label})


class Preferences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_NAMES):
    """What a visitor may choose about their recommendations."""

    # Forms, commands and the API are made from these fields, by way of `CHOICES`.
    n: Annotated[int, Meta(ge=1, le=MAX_N), _option("The number of recommendations", "Length of the list, 1-100.")] = 10
    order: Annotated[Order, _option("The order", "What the list is ordered by.")] = Order.MATCH
    popularity: Annotated[
        float, Meta(ge=-1, le=1), _option("Niche or popular", "From -1, niche titles first, to 1, popular ones first.")
    ] = 0.0
    variety: Annotated[
        float,
        Meta(ge=0, le=1),
        _option(
            "Similar or varied",
            "From 0, strictly by match, to 1, similar titles kept apart; only in the order by match.",
        ),
    ] = 0.1
    franchise: Annotated[
        FranchiseRule,
        _option(
            "Series",
            "Which series the list may have: new, one title from each series that is new to the visitor; unrelated, "
            "the same without universes that they have begun; all, any title.",
        ),
    ] = FranchiseRule.NEW
    types: Annotated[Names, _option("", 'Only titles of these types, such as "TV"; none given means any.')] = ()
    genres: Annotated[Names, _option("", "Only titles with all of these genres.")] = ()
    without_genres: Annotated[Names, _option("", "Only titles with none of these genres.")] = ()
    year_from: Annotated[
        Year | None,
        _option("The first year", "Only titles of this year or later; one whose year is unknown is left out."),
    ] = None
    year_to: Annotated[Year | None, _option("The last year", "Only titles of this year or earlier, likewise.")] = None
    season: Annotated[
        Annotated[str, Meta(pattern=f"^({PATTERN})$")] | None,
        _option("The season", 'Only titles first shown in this season, such as "2024-spring".'),
    ] = None
    studios: Annotated[Names, _option("", "Only titles by any of these studios.")] = ()
    series: Annotated[
        Ids,
        _option(
            "The id of a title of a series",
            "Only titles from the series of any of the titles with these ids. Titles from series that the visitor has "
            "begun are in the list only if `franchise` is all.",
        ),
    ] = ()
    min_members: Annotated[
        int,
        Meta(ge=0, le=10**9),
        _option(
            "The minimum number of members",
            "Only titles that at least this many people have on their lists at the site.",
        ),
    ] = 0
    adult: Annotated[bool, _option("Adult titles", "Whether adult titles may be in the list.")] = False
    rated_only: Annotated[
        bool,
        _option(
            "Only rated titles",
            "Whether to leave out titles that hardly anyone we learnt from has watched or scored: those judged by "
            "genres, studio and the like, and those without a predicted rating.",
        ),
    ] = False
    planned: Annotated[
        Planned,
        _option(
            "Planned titles", "Whether to show titles that the visitor plans to watch, hide them, or show only them."
        ),
    ] = Planned.SHOW
    ignored: Annotated[
        Ids,
        _option(
            "The id of a title to leave out",
            "Ids of the visitor's entries that must not affect the list; those already seen are still not recommended.",
        ),
    ] = ()
    hidden: Annotated[
        Ids,
        _option(
            "The id of a title to hide",
            "Ids of titles that must not be recommended; unless `franchise` is all, the rest of their series is hidden "
            "too.",
        ),
    ] = ()
    like: Annotated[
        tuple[AnimeId, ...],
        Meta(max_length=MAX_LIKED),
        _option(
            "The id of a title to find more like",
            "Ids of titles, on the list or not; titles like them come first; only in the order by match.",
        ),
    ] = ()

    seen: Annotated[
        tuple[Seen, ...],
        Meta(max_length=MAX_IGNORED),
        _option(
            "A title that was seen",
            "Titles seen in addition to those on the list: each is an id and a score from 1 to 10, or 0 for none, "
            'such as "1-9". They count like entries of the list.',
        ),
    ] = ()

    def __post_init__(self) -> None:
        self._check_seen()
        for field, choice in CHOICES.items():
            value = getattr(self, field)
            if choice.most:  # given twice is given once
                msgspec.structs.force_setattr(self, field, tuple(dict.fromkeys(value)))
            elif value is not None:
                choice.check(value)
        if self.season is not None and not re.fullmatch(PATTERN, self.season):
            raise BadOption("The season must be a year and winter, spring, summer or fall, such as 2024-spring.")
        if self.year_from and self.year_to and self.year_from > self.year_to:
            raise BadOption("The first year must not be after the last.")

    def _check_seen(self) -> None:
        """Check titles that were seen, and keep the last of several for the same one."""
        for text in self.seen:
            found = SEEN.fullmatch(text)
            if not found or int(found[1]) > MAX_ANIME_ID:
                raise BadOption("A title that was seen must be given as its id and a score from 0 to 10, such as 1-9.")
        last = {text.partition("-")[0]: text for text in self.seen}
        msgspec.structs.force_setattr(self, "seen", tuple(last.values()))


class Choice(NamedTuple):
    """A field of `Preferences` as forms, commands and the API need it.

    Attributes:
        name: in forms and addresses, and in the API.
        kind: type of a value.
        default: where nothing is chosen.
        about: its label and description.
        bounds: least and greatest number; None where it is none.
        most: how many values there may be; 0 where there is only one.
    """

    name: str
    kind: type[Any]
    default: Any
    about: Mapping[str, str]
    bounds: tuple[int, int] | None
    most: int

    @classmethod
    def of(cls, field: inspect.Field) -> Self:
        """Read the declaration of a field."""
        declared = cast("inspect.Metadata", field.type)
        info: Any = declared.type
        most = getattr(info, "max_length", 0)
        info = getattr(info, "item_type", info)
        info = getattr(info, "types", [info])[0]  # a number or None
        kinds: dict[type, type] = {inspect.IntType: int, inspect.StrType: str}
        kind = kinds.get(type(info), type(field.default))
        bounds = (info.ge, info.le) if hasattr(info, "ge") else None
        about = {**(declared.extra or {}), **(declared.extra_json_schema or {})}
        return cls(field.encode_name, kind, field.default, about, bounds, most)

    def check(self, value: float) -> None:
        """Check that a number is in range, and not NaN; raises BadOption."""
        if self.bounds and not self.bounds[0] <= value <= self.bounds[1]:
            number = "whole number" if self.kind is int else "number"
            raise BadOption(f"{self.about['label']} must be a {number} from {self.bounds[0]} to {self.bounds[1]}.")


CHOICES = {field.name: Choice.of(field) for field in cast("inspect.StructType", inspect.type_info(Preferences)).fields}
"""All that a visitor can choose, by the fields of `Preferences`."""


class Reason(msgspec.Struct, frozen=True):
    """The contribution of one entry of the visitor's own list to a title's score."""

    anime_id: Annotated[int, about("The entry's MyAnimeList id.")]
    title: Annotated[str, about("As the catalogue has it.")]
    score: Annotated[int, about("The visitor's, 0 when they gave none.")]
    share: Annotated[
        float,
        about(
            "Its part of the score that the list is ordered by, in that score's units; negative when it counts against."
        ),
    ]
    planned: Annotated[bool, about("Whether the visitor only plans to watch it.")] = False


class Effect(msgspec.Struct, frozen=True):
    """What moved a title's match beside the entries of the visitor's list."""

    subject: Annotated[str, about("Its subject: popularity, time, series or rating.")]
    factor: Annotated[float, about("What the match was multiplied by: a factor above 1 is in the title's favour.")]
    words: Annotated[str, about("The effect in words, such as: newer than most of your list.")]


class Recommendation(msgspec.Struct, frozen=True):
    """One title of a list, best first."""

    anime_id: Annotated[int, about("MyAnimeList id.")]
    title: Annotated[str, about("As the catalogue has it.")]
    predicted_rating: Annotated[
        float | None,
        about(
            "The rating we expect, clipped to 1-10 and rounded to two decimals for reading; null where fewer than 3 "
            "training users scored the title."
        ),
    ]
    match: Annotated[float, about("The ranking score: what the list is ordered by, apart from `variety`.")]
    support: Annotated[int, about("How many training users scored the title.")]
    neighbours: Annotated[int, about("How many of the visitor's scored titles the predicted rating is based on.")] = 0
    reasons: Annotated[
        tuple[Reason, ...], about("The up to three entries with the largest shares of `match`, whatever their sign.")
    ] = ()
    effects: Annotated[
        tuple[Effect, ...],
        about("What else moved `match` by more than a little, the strongest first; in the order by match only."),
    ] = ()
    by_attributes: Annotated[
        bool,
        about(
            "Whether so few training users watched the title that it is judged, for half or more, by what is known of "
            "it: genres, studio, tags, what it was made from, its series."
        ),
    ] = False
    part: Annotated[
        str | None,
        about('Which part it is of a series that the visitor began, such as "Season 3 of 4"; null for all others.'),
    ] = None
    series_note: Annotated[
        str | None,
        about(
            "What else to know about its series, in a sentence or two: what it probably continues, what of its "
            "universe or another telling the visitor has seen, where it begins, when it comes out; null where there is "
            "nothing to say."
        ),
    ] = None

    @property
    def about_series(self) -> str:
        """The part and the note in sentences; empty where there is neither."""
        return " ".join(filter(None, (self.part and f"{self.part}.", self.series_note)))


class Recommendations(msgspec.Struct, frozen=True):
    """A ranked list and notes on it.

    Attributes:
        recommendations: best first.
        notes: plain sentences.
        personal: whether the order comes from the person's own list; if not, it is what many people watch and like.
        continues: the next unseen main entry of each series that the visitor has started, best first.
    """

    recommendations: tuple[Recommendation, ...]
    notes: tuple[str, ...] = ()
    personal: bool = True
    continues: tuple[Recommendation, ...] = ()
