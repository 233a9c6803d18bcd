"""MyAnimeList's own export and the XML that other programs write after its model; no site is asked.

The file is not trusted. It is read as a stream and no tree is built from it: whatever its size and structure, only the
entries found are held in memory. A file that is not quite XML is repaired and read again.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from xml.parsers import expat

from hakken.errors import ExportTooLarge, MangaExport, NotAnExport
from hakken.list_entries import ID_FIELDS, SCORE_FIELDS, STATUS_FIELDS, Entry, read_list
from hakken.ratings import MAX_ENTRIES, UserList

ROOT = "myanimelist"
FIELDS = frozenset(name for (name, *_) in (*ID_FIELDS, *SCORE_FIELDS, *STATUS_FIELDS)) | {"user_export_type"}
MANGA_TYPE = "2"
FIELD_DEPTH, MAX_DEPTH = 3, 16
"""Nesting of an entry's fields, and the deepest that is read."""
SPARE_TAGS, MAX_TAGS = 2000, 200
"""A file may have this many tags, and as many more for each entry, which has about 25 fields of two tags."""
MAX_TOKEN = 2**20
"""Longest tag or comment, in bytes: older versions of expat parse it again with each chunk, in quadratic time."""
NO_EXPORT = "The file is not an XML export from MyAnimeList."

_BEGIN = re.compile(r"<(?:[\w.-]+:)?myanimelist\b", re.IGNORECASE)
_DAMAGE = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos);)|<(?![A-Za-z_?]|/[A-Za-z_]|!--|!\[CDATA\[|!DOCTYPE)"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
)
_REPAIRED = {"&": "&amp;", "<": "&lt;"}
_UNFINISHED = re.compile(r"[&<][^&<;>]{0,8}\Z")
"""The end of a chunk that may go on to be an entity or a tag."""


def parse(chunks: Iterable[bytes]) -> UserList:
    """Parse an export.

    Args:
        chunks: the XML; it is iterated again if it has to be repaired.

    Raises:
        NotAnExport: the file is something else, is truncated, or contains what no export does, such as a DTD.
        MangaExport: it has manga only.
        ExportTooLarge: it has more entries or elements than an export can have.
    """
    try:
        return _parsed(chunks).user_list(repaired=False)
    except expat.ExpatError:
        pass
    try:
        return _parsed(_repaired(chunks)).user_list(repaired=True)
    except expat.ExpatError as error:
        raise NotAnExport(
            f"{NO_EXPORT[:-1]}, or it is damaged: it can't be read beyond line {error.lineno}."
        ) from error


def _parsed(chunks: Iterable[bytes | str]) -> "_Found":
    found = _Found()
    parser = _parser(found)
    fed = 0
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
            fed += len(chunk)
            found.tags += chunk.count(b"<") if isinstance(chunk, bytes) else chunk.count("<")
            if fed - parser.CurrentByteIndex > MAX_TOKEN:
                raise NotAnExport(NO_EXPORT)
            found.check_limits()
        parser.Parse(b"", True)
    except (LookupError, ValueError) as error:  # an encoding that Python or expat does not know
        raise expat.ExpatError(str(error)) from error
    return found


def _repaired(chunks: Iterable[bytes]) -> Iterator[str]:
    """The text of a damaged file: escaped where it has to be, without invalid characters and what is before the root.

    Ids, scores and statuses are ASCII, so that it does no harm to decode other characters wrongly.
    """
    rest, decoder = "", None
    for chunk in (*chunks, b""):
        if decoder is None:
            is_utf16 = chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            decoder = codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8")("replace")
            text = decoder.decode(chunk)
            root = _BEGIN.search(text)
            if not root:
                raise NotAnExport(NO_EXPORT)
            text = "\n" * text.count("\n", 0, root.start()) + text[root.start() :]  # lines keep their numbers
        else:
            text = rest + decoder.decode(chunk, final=not chunk)
        unfinished = _UNFINISHED.search(text) if chunk else None
        rest = unfinished[0] if unfinished else ""
        yield _DAMAGE.sub(lambda found: _REPAIRED.get(found[0], ""), text[: len(text) - len(rest)])


class _Found:
    """What is found in a file."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.manga = 0
        self.is_manga_list = False
        self.tags = 0
        self.depth = 0

    def user_list(self, *, repaired: bool) -> UserList:
        if not self.entries and (self.manga or self.is_manga_list):
            raise MangaExport("This is the export of a manga list; please choose the export of an anime list.")
        return read_list(self.entries, manga=self.manga, repaired=repaired)

    def add(self, kind: str, fields: dict[str, str]) -> None:
        """Add an element below the root, by the fields in it."""
        if kind == "anime":
            self.entries.append(Entry.of(fields))
        self.manga += kind == "manga"
        self.is_manga_list |= kind == "myinfo" and fields.get("user_export_type") == MANGA_TYPE

    def check_limits(self) -> None:
        n_entries = len(self.entries) + self.manga
        if n_entries > MAX_ENTRIES or self.tags > SPARE_TAGS + MAX_TAGS * n_entries:
            raise ExportTooLarge("The file has more entries than a list can have.")
        if self.depth > MAX_DEPTH:
            raise NotAnExport(NO_EXPORT)


def _parser(found: _Found) -> expat.XMLParserType:
    """A parser that collects the entries: elements below the root, with a field in each of their own elements."""
    # A long list has half a million elements: variables of a function are the fastest that Python has.
    parser, names = expat.ParserCreate(), _Names()
    depth, field = 0, ""
    texts: list[str] = []
    fields: dict[str, str] = {}

    def start(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal depth, field
        depth += 1
        if depth == FIELD_DEPTH:
            if (name := names[tag]) in FIELDS:
                field = name
                parser.CharacterDataHandler = texts.append
        elif depth > FIELD_DEPTH:
            found.depth, field = max(found.depth, depth), ""  # a field holds no other elements
        elif depth == 1 and names[tag] != ROOT:
            raise expat.ExpatError("another root")  # a warning of a web server may be before it

    def end(tag: str) -> None:
        nonlocal depth, field
        depth -= 1
        if depth == 1:
            found.add(names[tag], fields)
            fields.clear()
        elif texts:
            if field:
                fields[field] = "".join(texts).strip()
            parser.CharacterDataHandler = None
            texts.clear()

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _refuse(*_declared: object) -> None:
    raise NotAnExport(NO_EXPORT)


class _Names(dict[str, str]):
    """The names of elements, whatever their namespace and case, by tag."""

    def __missing__(self, tag: str) -> str:
        name = self[tag] = tag.rpartition(":")[2].lower()
        return name
