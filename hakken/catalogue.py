"""The catalogue: what is known about each anime. A fact it lacks is left out; nothing is guessed.

On disk it is gzipped JSON Lines, one anime a line, without the fields that are unknown.
"""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import msgspec

from hakken.errors import ArtefactCorrupt
from hakken.files import unread
from hakken.ratings import AnimeId

FILE_NAME = "catalogue.jsonl.gz"
ADULT_GENRE = "Hentai"


class Related(msgspec.Struct, frozen=True):
    """One way in which an anime is related to another.

    Attributes:
        anime_id: MyAnimeList id of the other.
        relation: what the other is to it, in MyAnimeList's words, such as "Sequel".
    """

    anime_id: AnimeId
    relation: str


class Link(msgspec.Struct, frozen=True):
    """Where an anime can be watched.

    Attributes:
        name: of the service.
        url: as the site gave it; whoever shows it looks first whether it may be shown.
    """

    name: str
    url: str


class Anime(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts about one anime.

    Attributes:
        anime_id: MyAnimeList id.
        title: the main (romanised) title.
        title_english: the English title, where it differs from `title`.
        title_japanese: the title in Japanese script.
        synonyms: other names.
        type: TV, Movie, OVA, Special, ONA or Music.
        episodes: how many there are.
        genres: in MyAnimeList's words.
        year: of the first episode.
        season: such as "Spring 1998".
        studios: in lower case.
        mean: the site's mean score, 1-10.
        members: how many people have it on their lists at the site.
        picture: address of a cover; whoever shows it looks first whether it may be shown.
        synopsis: what it is about, in plain text.
        relations: how it is related to others; None where nobody has asked, empty where there are none.
        streaming: where it can be watched.
        adult: for adults only.
        franchise: id of the anime with which its franchise begins; None where it stands alone.
        saga: the same of its saga, the wider circle: franchises that are most likely one story. See hakken.franchises.
        part: 1, 2, 3 … for the saga's main entries in watching order; None for specials, recaps and the like.
    """

    anime_id: AnimeId
    title: str
    title_english: str | None = None
    title_japanese: str | None = None
    synonyms: tuple[str, ...] = ()
    type: str | None = None
    episodes: int | None = None
    genres: tuple[str, ...] = ()
    year: int | None = None
    season: str | None = None
    studios: tuple[str, ...] = ()
    mean: float | None = None
    members: int | None = None
    picture: str | None = None
    synopsis: str | None = None
    relations: tuple[Related, ...] | None = None
    streaming: tuple[Link, ...] = ()
    adult: bool = False
    franchise: AnimeId | None = None
    saga: AnimeId | None = None
    part: int | None = None

    @property
    def url(self) -> str:
        """The anime's page on MyAnimeList."""
        return mal_page(self.anime_id)


def mal_page(anime_id: int) -> str:
    """Address of an anime's page on MyAnimeList."""
    return f"https://myanimelist.net/anime/{anime_id}"


class Catalogue(Mapping[int, Anime]):
    """Anime by MyAnimeList id, in the order of their ids."""

    def __init__(self, anime: Iterable[Anime]) -> None:
        self._anime = {one.anime_id: one for one in sorted(anime, key=lambda one: one.anime_id)}

    def anime(self, anime_id: int) -> Anime:
        """What is known of an anime: of one that is not in the catalogue, a name that says its id."""
        return self._anime.get(anime_id) or Anime(anime_id=anime_id, title=self.title(anime_id))

    @cached_property
    def adult_ids(self) -> tuple[int, ...]:
        """Ids of the anime for adults only."""
        return tuple(anime.anime_id for anime in self._anime.values() if anime.adult)

    @cached_property
    def franchises(self) -> Mapping[int, tuple[int, ...]]:
        """Each franchise of several anime, by where it begins → its main entries in watching order.

        Those that a catalogue lacks are left out of it.
        """
        return self._main_entries(self.franchise_of)

    @cached_property
    def sagas(self) -> Mapping[int, tuple[int, ...]]:
        """The same of sagas."""
        return self._main_entries(self.saga_of)

    def franchise_of(self, anime_id: int) -> int:
        """The franchise of an anime: where it begins. One that stands alone, or that nobody knows, is its own."""
        anime = self._anime.get(anime_id)
        return anime_id if anime is None or anime.franchise is None else anime.franchise

    def saga_of(self, anime_id: int) -> int:
        """The same of its saga; a franchise that is in none is its own."""
        anime = self._anime.get(anime_id)
        return self.franchise_of(anime_id) if anime is None or anime.saga is None else anime.saga

    def _main_entries(self, group_of: Callable[[int], int]) -> Mapping[int, tuple[int, ...]]:
        parts: dict[int, list[tuple[int, int]]] = {}
        for anime in self._anime.values():
            if anime.part is not None:
                parts.setdefault(group_of(anime.anime_id), []).append((anime.part, anime.anime_id))
        return {group: tuple(anime_id for _, anime_id in sorted(known)) for group, known in parts.items()}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a catalogue file.

        Raises:
            ArtefactCorrupt: the file is missing, is not gzip, or a line is not an anime.
            StorageError: it can't be read just now.
        """
        try:
            return cls(msgspec.json.Decoder(Anime).decode_lines(gzip.decompress(path.read_bytes())))
        except OSError as error:
            raise unread(f"The catalogue {path}", error) from error
        except (EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactCorrupt(f"The catalogue {path} can't be read: {error}.") from error

    def write(self, path: Path) -> None:
        """Write a catalogue file; the same catalogue always gives the same bytes."""
        path.write_bytes(self.encoded())

    def encoded(self) -> bytes:
        """The content of a catalogue file."""
        lines = msgspec.json.Encoder().encode_lines(self._anime.values())
        return gzip.compress(lines, compresslevel=9, mtime=0)

    def title(self, anime_id: int) -> str:
        """The anime's title or, for one the catalogue lacks, its id in words."""
        anime = self._anime.get(anime_id)
        return anime.title if anime else f"MyAnimeList #{anime_id}"

    def __getitem__(self, anime_id: int) -> Anime:
        return self._anime[anime_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._anime)

    def __len__(self) -> int:
        return len(self._anime)
