"""The catalogue: the facts about each anime. Unknown facts are left out; nothing is guessed.

On disk it is gzipped JSON Lines, one anime a line, without the fields that are unknown.
"""

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from functools import cached_property, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from hakken.about import about
from hakken.errors import ArtefactCorrupt
from hakken.files import unread
from hakken.ratings import AnimeId, TitleNames
from hakken.seasons import QUARTERS, Season

FILE_NAME = "catalogue.jsonl.gz"
ADULT_GENRE = "Hentai"
FIRST_MONTHS = {name: 3 * quarter + 1 for quarter, name in enumerate(QUARTERS)}
MAX_BYTES = 2**28
"""Largest catalogue, unpacked: five thousand characters for each of fifty thousand anime."""
MAX_NAME = 300
"""Longest name, in characters; the rest is cut off."""
SECONDARY_KINDS = frozenset(("side story", "special", "recap", "extra"))
"""Kinds of series entries that are not recommended on their own."""
LIKELY = 0.5
"""Confidence from which on an inferred relation is more likely true than not."""
DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
"""1998-04-03, 1998-04 or 1998."""

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""What fits into the columns that are made of it."""
Int64s = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Related(msgspec.Struct, frozen=True, omit_defaults=True):
    """A relation of an anime to another."""

    anime_id: Annotated[AnimeId, about("MyAnimeList id of the other.")]
    relation: Annotated[str, about('What the other is to it, in MyAnimeList\'s words, such as "Sequel".')]
    confidence: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        about("How sure that is, 0-1, where it was inferred; null where the site says so."),
    ] = None

    @property
    def likely(self) -> bool:
        """Whether it is sure enough to be shown; otherwise it is only used to find series."""
        return self.confidence is None or self.confidence >= LIKELY


class Link(msgspec.Struct, frozen=True):
    """Where an anime can be watched."""

    name: Annotated[str, about("Of the service.")]
    url: Annotated[str, about("As the site gave it; unchecked: check it before showing it.")]


class Anime(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts about one anime."""

    anime_id: Annotated[AnimeId, about("MyAnimeList id.")]
    title: Annotated[str, about("The main (romanised) title.")]
    title_english: Annotated[str | None, about("The English title, where it differs from `title`.")] = None
    title_japanese: Annotated[str | None, about("The title in Japanese script.")] = None
    synonyms: Annotated[tuple[str, ...], about("Other names.")] = ()
    type: Annotated[str | None, about("TV, Movie, OVA, ONA, Special, TV Special, Music, CM or PV.")] = None
    episodes: Annotated[Int32 | None, about("How many there are.")] = None
    genres: Annotated[tuple[str, ...], about("In MyAnimeList's words.")] = ()
    year: Annotated[Int32 | None, about("Of the first episode.")] = None
    season: Annotated[str | None, about('Such as "Spring 1998".')] = None
    start_date: Annotated[str | None, about("Of the first episode: 1998-04-03, 1998-04 or 1998.")] = None
    studios: Annotated[tuple[str, ...], about("In lower case.")] = ()
    mean: Annotated[float | None, about("The site's mean score, 1-10.")] = None
    members: Annotated[Int32 | None, about("How many people have it on their lists at the site.")] = None
    picture: Annotated[str | None, about("Address of a cover; unchecked: check it before showing it.")] = None
    synopsis: Annotated[str | None, about("Plain text.")] = None
    relations: Annotated[
        tuple[Related, ...] | None, about("To other anime; null where no site was asked, empty where there are none.")
    ] = None
    streaming: Annotated[tuple[Link, ...], about("Where it can be watched.")] = ()
    made_from: Annotated[
        str | None,
        about("What it was made from, in MyAnimeList's words in lower case: original, manga, light novel …."),
    ] = None
    tags: Annotated[tuple[str, ...], about('Such as "Time Travel", the most characteristic first.')] = ()
    adult: Annotated[bool, about("For adults only.")] = False
    series: Annotated[
        AnimeId | None,
        about("Id of the anime with which its series begins; null where it stands alone. See hakken.series."),
    ] = msgspec.field(default=None, name="franchise")  # its name in models of schema 3
    part: Annotated[
        Int32 | None,
        about("1, 2, 3 … for the main entries of the series in viewing order; null for specials, recaps and the like."),
    ] = None
    kind: Annotated[
        str | None,
        about("Within its series: main, film, side story, special, recap or extra; null where it was not computed."),
    ] = None
    probable: Annotated[bool, about("Whether it belongs to its series only by the likelihood of titles.")] = False
    story: Annotated[
        AnimeId | None, about("Id of the series that first told its story; null where there is no retelling.")
    ] = None
    universe: Annotated[AnimeId | None, about("Id of the first series of its universe; null where it has none.")] = (
        msgspec.field(default=None, name="saga")
    )  # as above

    @property
    def relations_asked(self) -> bool:
        """Whether its relations come from a site, rather than being unknown or only inferred."""
        return self.relations == () or any(one.confidence is None for one in self.relations or ())

    @property
    def first_month(self) -> int | None:
        """First month, 1-12, of the season in which it was first shown; None where that is unknown."""
        return FIRST_MONTHS.get((self.season or "").partition(" ")[0].lower())

    @property
    def url(self) -> str:
        """The anime's page on MyAnimeList."""
        return mal_page(self.anime_id)


def spaced(words: str) -> str:
    """Replace underscores by spaces, as in "light_novel"."""
    return " ".join(words.replace("_", " ").split())


def made_from(words: str) -> str | None:
    """What an anime was made from, in the catalogue's words; None for "other" and "unknown"."""
    name = spaced(words).lower().replace("4 koma", "4-koma")
    return None if name in {"", "other", "unknown"} else name


def mal_page(anime_id: int) -> str:
    """Address of an anime's page on MyAnimeList."""
    return f"https://myanimelist.net/anime/{anime_id}"


class CatalogueColumns(NamedTuple):
    """Facts that titles are filtered and grouped by, in the order of their ids, `(n,)` int64 each.

    Attributes:
        ids: MyAnimeList ids, ascending.
        year: 0 where it is unknown, as members and part.
        members: how many people have it on their lists at the site.
        series: id of the anime with which its series begins: its own where it stands alone.
        story: id of its story: that of its series where there is no retelling.
        universe: id of its universe: that of its story where it has none.
        part: in the series' viewing order.
        season: number of the season in which it was first shown, see `hakken.seasons`; 0 where that is unknown.
        adult: `(n,)` bool, for adults only.
        probable: `(n,)` bool, see `Anime`.
        beside: `(n,)` bool, not recommended on its own: specials, recaps, music videos and the like.
        types: each type → the positions of its anime.
        genres: each genre → the same.
        studios: each studio → the same.
    """

    ids: Int64s
    year: Int64s
    members: Int64s
    series: Int64s
    story: Int64s
    universe: Int64s
    part: Int64s
    season: Int64s
    adult: Mask
    probable: Mask
    beside: Mask
    types: Mapping[str, Int64s]
    genres: Mapping[str, Int64s]
    studios: Mapping[str, Int64s]

    @classmethod
    def of(cls, anime: Iterable[Anime]) -> Self:
        """Collect the facts of some anime, ordered by id."""
        rows: list[tuple[int, ...]] = []
        types: defaultdict[str, list[int]] = defaultdict(list)
        genres: defaultdict[str, list[int]] = defaultdict(list)
        studios: defaultdict[str, list[int]] = defaultdict(list)
        for position, one in enumerate(anime):
            series = one.series or one.anime_id
            story = one.story or series
            numbers = (one.anime_id, one.year or 0, one.members or 0, series, story, one.universe or story)
            shown = Season.named(one.season or "")
            order = (one.part or 0, shown.number if shown else 0)
            rows.append((*numbers, *order, one.adult, one.probable, one.kind in SECONDARY_KINDS))
            if one.type:
                types[one.type].append(position)
            for genre in one.genres:
                genres[genre].append(position)
            for studio in one.studios:
                studios[studio].append(position)
        table = np.array(rows, dtype=np.int64).reshape(-1, 11).T.copy()
        ids, year, members, series_of, story_of, universe_of, part, season, *switches = table
        adult, probable, beside = (switch > 0 for switch in switches)
        named = (
            {name: np.array(its, dtype=np.int64) for name, its in some.items()} for some in (types, genres, studios)
        )
        groups = (series_of, story_of, universe_of)
        return cls(ids, year, members, *groups, part, season, adult, probable, beside, *named)

    @property
    def alone(self) -> Mask:
        """`(n,)` bool: the whole series."""
        return np.asarray((self.series == self.ids) & (self.part == 0))


class Catalogue(Mapping[int, Anime]):
    """Anime by MyAnimeList id, ordered by id.

    Held as encoded lines, a third of the size; each is decoded on access, in 8 µs, and those asked for last are kept.

    Attributes:
        names: which of its names each title has in `Anime.title` and `title`.
    """

    names = TitleNames.ROMAJI

    def __init__(self, anime: Iterable[Anime]) -> None:
        encode = msgspec.json.Encoder().encode
        self._lines = {one.anime_id: encode(one) for one in sorted(anime, key=lambda one: one.anime_id)}
        self._titles: dict[int, str] = {}
        self._main: Catalogue | None = None

    def named(self, names: TitleNames) -> "Catalogue":
        """The same catalogue with other names for titles: a view, which shares all but the names with it.

        A title without such a name keeps the main one.
        """
        if names is self.main.names:
            return self.main
        _ = self.columns, self.adult_ids, self.series  # computed once, for all views
        view = copy(self)
        vars(view).update(names=names, _titles={}, _main=self.main)
        return view

    @property
    def main(self) -> "Catalogue":
        """The catalogue with main titles."""
        return self._main or self

    def anime(self, anime_id: int) -> Anime:
        """An anime; for one that the catalogue lacks, only a title made of its id."""
        return self.get(anime_id) or Anime(anime_id=anime_id, title=f"MyAnimeList #{anime_id}")

    @cached_property
    def columns(self) -> CatalogueColumns:
        """The facts that titles are filtered and grouped by, of all of them.

        Raises:
            ArtefactCorrupt: a line is not an anime.
        """
        # Not by way of the cache, which has no room for all: a worker starts 0.1 s sooner.
        return CatalogueColumns.of(self._read(one, _decode) for one in self._lines)

    @cached_property
    def adult_ids(self) -> tuple[int, ...]:
        """Ids of the anime for adults only."""
        return tuple(self.columns.ids[self.columns.adult].tolist())

    @cached_property
    def series(self) -> Mapping[int, tuple[int, ...]]:
        """Each series of several anime, by its first entry → its main entries in the catalogue, in viewing order."""
        ids, part, series = self.columns.ids, self.columns.part, self.columns.series
        main = np.flatnonzero(part)
        main = main[np.lexsort((part[main], series[main]))]
        names, begins = np.unique(series[main], return_index=True)
        entries = np.split(ids[main], begins[1:])  # a single empty part where there is no series
        return {name: tuple(one.tolist()) for name, one in zip(names.tolist(), entries, strict=False)}

    def series_of(self, anime_id: int) -> int:
        """Id of an anime's series: its first entry. One that stands alone or is unknown has its own id."""
        return self._group_of(anime_id, self.columns.series)

    def story_of(self, anime_id: int) -> int:
        """Id of an anime's story."""
        return self._group_of(anime_id, self.columns.story)

    def universe_of(self, anime_id: int) -> int:
        """Id of an anime's universe."""
        return self._group_of(anime_id, self.columns.universe)

    def _group_of(self, anime_id: int, groups: Int64s) -> int:
        return int(groups[np.searchsorted(self.columns.ids, anime_id)]) if anime_id in self._lines else anime_id

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a catalogue file; of its lines only the ids are decoded yet.

        Raises:
            ArtefactCorrupt: the file is missing or not gzip, or a line has no id.
            StorageError: it can't be read just now.
        """
        catalogue, what = cls(()), f"The catalogue {path}"
        try:
            with gzip.open(path) as file:
                text = file.read(MAX_BYTES + 1)
            if len(text) > MAX_BYTES:
                raise ArtefactCorrupt(f"{what} has more than {MAX_BYTES:,} bytes, as none can have.")
            ids = [one.anime_id for one in msgspec.json.Decoder(_Line).decode_lines(text)]
            catalogue._lines = dict(sorted(zip(ids, text.splitlines(), strict=True), key=itemgetter(0)))
        except OSError as error:
            raise unread(what, error) from error
        except (EOFError, zlib.error, ValueError) as error:  # msgspec's and Unicode's errors are ValueErrors
            raise ArtefactCorrupt(f"{what} can't be read: {error}.") from error
        return catalogue

    def write(self, path: Path) -> None:
        """Write a catalogue file; the same catalogue always gives the same bytes."""
        path.write_bytes(self.encoded())

    def encoded(self) -> bytes:
        """The content of a catalogue file."""
        return gzip.compress(b"".join(line + b"\n" for line in self._lines.values()), compresslevel=9, mtime=0)

    def title(self, anime_id: int) -> str:
        """The anime's title or, for one the catalogue lacks, its id in words."""
        # A list of recommendations names a hundred titles; of these none is forgotten.
        if anime_id not in self._titles:
            self._titles[anime_id] = self.anime(anime_id).title
        return self._titles[anime_id]

    def __getitem__(self, anime_id: int) -> Anime:
        return self._read(anime_id, _decoded)

    def _read(self, anime_id: int, decode: Callable[[bytes, TitleNames], Anime]) -> Anime:
        try:
            return decode(self._lines[anime_id], self.names)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactCorrupt(f"What the catalogue has of anime {anime_id} can't be read: {error}.") from error

    def __iter__(self) -> Iterator[int]:
        return iter(self._lines)

    def __contains__(self, anime_id: object) -> bool:
        return anime_id in self._lines

    def __len__(self) -> int:
        return len(self._lines)


def _decode(line: bytes, names: TitleNames) -> Anime:
    """The anime of a line, by one of its names."""
    anime = _decoder.decode(line)
    if names is TitleNames.ENGLISH and anime.title_english:
        return msgspec.structs.replace(anime, title=anime.title_english, title_english=None)
    if names is TitleNames.JAPANESE and anime.title_japanese:
        return msgspec.structs.replace(anime, title=anime.title_japanese)
    return anime


_decoded = lru_cache(maxsize=1024)(_decode)
"""The same titles are in most lists: decoding them took a tenth of a request's time."""


class _Line(msgspec.Struct):
    """The part of a line that is decoded at once."""

    anime_id: AnimeId


_decoder = msgspec.json.Decoder(Anime)
