"""MyAnimeList's own export, a file that the user downloads: no site is asked, so it works for private lists too.

The file is not trusted. It is read as a stream, decompressed up to a limit, and no tree is built from it: whatever its
size and structure, only the entries found are held in memory.
"""

import gzip
import zlib
from typing import Any, BinaryIO, Literal
from xml.etree.ElementTree import ParseError

import msgspec
from defusedxml.ElementTree import DefusedXMLParser

from hakken.errors import ExportTooLarge, MangaExport, NotAnExport
from hakken.ratings import MAX_ENTRIES, STATUS_OF_CODE, AnimeId, Rating, Score, UserList

MAX_PACKED = 10 * 2**20
UNPACKED_RATIO = 5
"""Largest ratio of an export's unpacked size to the limit of its packed size."""

_NOT_AN_EXPORT = "The file is not an XML export of MyAnimeList."
_MANGA_EXPORT = "This is the export of a manga list; please choose the export of an anime list."
_ROOT = "myanimelist"
_FIELDS = frozenset({"series_animedb_id", "my_score", "my_status", "user_export_type"})
_MANGA = "2"
_DEPTH = 16
"""Deepest nesting; an export's is 3."""
_MAX_ELEMENTS = 40 * MAX_ENTRIES
"""An entry has about 25 fields."""
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 2**16
_MAX_TOKEN = 2**20
"""Longest tag or comment, in bytes: older versions of expat parse it again with each chunk, in quadratic time."""

_CODES = {"watching": 1, "completed": 2, "on-hold": 3, "dropped": 4, "plan to watch": 6}


class _Entry(msgspec.Struct):
    series_animedb_id: AnimeId
    my_status: Literal[1, 2, 3, 4, 6]
    my_score: Score = 0

    def rating(self) -> Rating:
        return Rating(self.series_animedb_id, self.my_score, STATUS_OF_CODE[self.my_status])


def parse(stream: BinaryIO, *, max_packed: int = MAX_PACKED, max_unpacked: int | None = None) -> UserList:
    """Parse an export: the whole list or, if the file is truncated, an error.

    Args:
        stream: the file, .xml or .xml.gz, which is detected from its first bytes.
        max_packed: maximum bytes read from the file itself.
        max_unpacked: maximum bytes of XML, after decompression; by default `UNPACKED_RATIO` times `max_packed`.

    Raises:
        NotAnExport: the file is something else, is truncated, or contains what no export does, such as a DTD.
        MangaExport: the file is the export of a manga list.
        ExportTooLarge: a limit is exceeded.
    """
    start = stream.read(len(_GZIP_MAGIC))
    packed: Any = _Capped(stream, max_packed, start)
    most = UNPACKED_RATIO * max_packed if max_unpacked is None else max_unpacked
    unpacked = _Capped(gzip.GzipFile(fileobj=packed) if start == _GZIP_MAGIC else packed, most)
    export = _Export()
    parser = DefusedXMLParser(target=export, forbid_dtd=True)
    silent = 0
    try:
        while chunk := unpacked.read(_CHUNK):
            before = export.events
            parser.feed(chunk)
            silent = silent + len(chunk) if export.events == before else 0
            if silent > _MAX_TOKEN:
                raise NotAnExport(_NOT_AN_EXPORT)
        parser.close()
    except (ParseError, ValueError, LookupError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        # ValueError and LookupError: constructs forbidden by defusedxml, and encodings unknown to expat.
        raise NotAnExport("The file is not a whole XML export of MyAnimeList.") from error
    return UserList.of(export.found)


class _Capped:
    """A stream, of which `start` was read already, that raises ExportTooLarge after `limit` bytes."""

    def __init__(self, stream: Any, limit: int, start: bytes = b"") -> None:  # noqa: ANN401  # anything with `read`
        self._stream = stream
        self._left = limit
        self._start = start

    def read(self, size: int) -> bytes:
        data = self._start + bytes(self._stream.read(size - len(self._start)))
        self._start = b""
        self._left -= len(data)
        if self._left < 0:
            raise ExportTooLarge("The file is larger than an export may be.")
        return data


class _Export:
    """Parser target that collects the entries only."""

    def __init__(self) -> None:
        self.events = 0
        self.found: list[Rating | None] = []
        self._elements = 0
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._fields: dict[str, str] = {}

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self.events += 1
        self._elements += 1
        self._path.append(tag)
        if self._path[0] != _ROOT or len(self._path) > _DEPTH:
            raise NotAnExport(_NOT_AN_EXPORT)
        if self._elements > _MAX_ELEMENTS or len(self.found) > MAX_ENTRIES:
            raise ExportTooLarge("The file has more entries than a list can have.")
        match self._path:
            case [_, "manga"]:
                raise MangaExport(_MANGA_EXPORT)
            case [_, "anime" | "myinfo"]:
                self._fields = {}
            case [_, "anime" | "myinfo", field] if field in _FIELDS:
                self._text = []

    def data(self, text: str) -> None:
        self.events += 1
        if self._text is not None:
            self._text.append(text)

    def end(self, _tag: str) -> None:
        self.events += 1
        match self._path:
            case [_, "anime"]:
                self.found.append(_rating(self._fields))
            case [_, "anime" | "myinfo", field] if self._text is not None:
                self._fields[field] = "".join(self._text).strip()
                self._text = None
            case [_, "myinfo"] if self._fields.get("user_export_type") == _MANGA:
                raise MangaExport(_MANGA_EXPORT)
        self._path.pop()


def _rating(fields: dict[str, str]) -> Rating | None:
    given: dict[str, Any] = {field: text for field, text in fields.items() if text}
    status = given.get("my_status", "").lower()
    given["my_status"] = _CODES.get(status, status)
    try:
        return msgspec.convert(given, _Entry, strict=False).rating()
    except msgspec.ValidationError:
        return None
