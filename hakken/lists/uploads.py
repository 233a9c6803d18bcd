"""Lists that visitors upload: the export of MyAnimeList, AniList or Kitsu, packed or not; no site is asked.

A file is not trusted: its size, how far it unpacks, and the time spent on it are limited.
"""

import io
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from hakken.errors import ExportTooLarge, NotAnExport, ServerBusy
from hakken.lists import json_export, mal_export
from hakken.ratings import UserList

MAX_PACKED = 10 * 2**20
UNPACKED_RATIO = 5
"""Largest ratio of an export's unpacked size to the limit of its packed size."""
FREE_BYTES, MAX_RATIO = 2**20, 100
"""A packed file may unpack to this many bytes, and so many times its size."""
MAX_MEMBERS = 16
"""Of a gzip file: some programs join several."""
MAX_DIRECTORY = 2**16
"""Bytes of a zip archive's directory: some hundred files."""
MAX_SECONDS = 0.5
"""Processor time for one file: an export of 12,000 entries, near the largest that may be sent unpacked, takes 0.4 s."""
N_SEATS, MAX_WAIT = 2, 1.0
"""Files that a process reads at once, and seconds that another waits."""
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
ZIP_END, ZIP64_LOCATOR = b"PK\x05\x06", b"PK\x06\x07"
IS_ENCRYPTED, COMPRESSIONS = 1, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Bit of a member's flags; what unpacks in little memory."""
CHUNK = 2**16
GZIP_BITS = 16 + zlib.MAX_WBITS
TOO_LARGE = "The file is larger than an export may be."

_seats = threading.BoundedSemaphore(N_SEATS)


def parse(stream: BinaryIO, *, max_packed: int = MAX_PACKED, max_unpacked: int | None = None) -> UserList:
    """Parse a file: the whole list or, if the file is truncated, an error.

    Args:
        stream: XML or JSON, itself or packed by gzip or zip; its first bytes tell.
        max_packed: maximum bytes of the file itself.
        max_unpacked: maximum bytes after decompression; by default `UNPACKED_RATIO` times `max_packed`.

    Raises:
        NotAnExport: the file is something else, is truncated, or contains what no export does, such as a DTD.
        MangaExport: it is the export of a manga list.
        ExportTooLarge: a limit is exceeded.
        ServerBusy: too many files are being read just now.
    """
    data = stream.read(max_packed + 1)
    if len(data) > max_packed:
        raise ExportTooLarge(TOO_LARGE)
    if not _seats.acquire(timeout=MAX_WAIT):
        raise ServerBusy("Too many files are being read just now.")
    try:
        unpacked = _Unpacked(data, UNPACKED_RATIO * max_packed if max_unpacked is None else max_unpacked)
        head = next(iter(unpacked), b"").removeprefix(b"\xef\xbb\xbf").lstrip()
        return json_export.parse(unpacked) if head.startswith((b"{", b"[")) else mal_export.parse(unpacked)
    except (zlib.error, EOFError, zipfile.BadZipFile) as error:
        raise NotAnExport("The file can't be unpacked: it is damaged or incomplete.") from error
    finally:
        _seats.release()


class _Unpacked:
    """The unpacked bytes of a file, which can be iterated again, within one limit of time."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        is_packed = data.startswith((GZIP_MAGIC, ZIP_MAGIC))
        self._most = min(most, FREE_BYTES + MAX_RATIO * len(data)) if is_packed else most
        self._end = time.thread_time() + MAX_SECONDS

    def __iter__(self) -> Iterator[bytes]:
        left = self._most
        for chunk in _unpacked(self._data):
            left -= len(chunk)
            if left < 0:
                raise ExportTooLarge(TOO_LARGE)
            if time.thread_time() > self._end:
                raise ExportTooLarge("The file takes too long to read: it contains more than an export does.")
            yield chunk


def _unpacked(data: bytes) -> Iterator[bytes]:
    if data.startswith(ZIP_MAGIC):
        yield from _gunzipped(_member(data))
    else:
        yield from _gunzipped(data[begin : begin + CHUNK] for begin in range(0, len(data), CHUNK))


def _member(data: bytes) -> Iterator[bytes]:
    """The content of the file in an archive."""
    end = data.rfind(ZIP_END)
    # Python reads the whole directory, whatever its size.
    if end < 0 or len(data) < end + 22 or data[end - 20 : end].startswith(ZIP64_LOCATOR):
        raise zipfile.BadZipFile
    if struct.unpack_from("<I", data, end + 12)[0] > MAX_DIRECTORY:
        raise ExportTooLarge("The archive has more files than one list.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if one.filename.lower().endswith((".xml", ".json", ".gz"))]
            members = [one for one in members if not one.filename.startswith("__MACOSX/")]
            if len(members) != 1:
                raise NotAnExport("The archive holds no list, or several: please choose one file.")
            if members[0].flag_bits & IS_ENCRYPTED or members[0].compress_type not in COMPRESSIONS:
                raise NotAnExport("The archive needs a password, or is packed in an unusual way.")
            with archive.open(members[0]) as member:
                while chunk := member.read(CHUNK):
                    yield chunk
    except (
        ValueError,
        OSError,
        RuntimeError,
        struct.error,
    ) as error:  # of positions, names and headers that are damaged
        raise zipfile.BadZipFile from error


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack chunks of a gzip file, which may have several members; others stay as they are."""
    first = next(chunks, b"")
    if not first.startswith(GZIP_MAGIC):
        yield first
        yield from chunks
        return
    inflate, members = zlib.decompressobj(wbits=GZIP_BITS), 1
    for chunk in chain((first,), chunks):
        packed = chunk
        while packed:
            if inflate.eof:
                packed = packed.lstrip(b"\0")  # padding
                if not packed:
                    break
                inflate, members = zlib.decompressobj(wbits=GZIP_BITS), members + 1
            if members > MAX_MEMBERS:
                raise ExportTooLarge("The file has more parts than an export has.")
            data = inflate.decompress(packed, CHUNK)
            while data:
                yield data
                data = inflate.decompress(inflate.unconsumed_tail, CHUNK)
            packed = inflate.unused_data
    if not inflate.eof:
        raise EOFError
