"""Lists encoded in a page: an uploaded or picked list as one form field, so that the server stores nothing of it.

A text is the version, "1", and, in base64url (RFC 4648, no padding), a DEFLATE stream (RFC 1951) of MessagePack:

    [first id and the gaps between ids, scores, statuses, skipped, repeats, unclear, manga, repaired]

with the entries sorted by id, scores and statuses of one byte each, statuses as MyAnimeList's numbers, and the rest as
in `UserList`; earlier releases did not write the last three. Columns of similar values compress well: 300 entries take
about 800 characters.
"""

import base64
import binascii
import zlib
from itertools import accumulate, pairwise, starmap
from typing import Annotated

import msgspec

from hakken.errors import BadList
from hakken.ratings import CODE_OF_STATUS, MAX_ANIME_ID, MAX_ENTRIES, MAX_SCORE, STATUS_OF_CODE, Rating, UserList

VERSION = "1"
MAX_UNPACKED = 2**19
"""Maximum bytes of a decompressed list: enough for `MAX_ENTRIES`, and a limit for a compression bomb."""

_Gap = Annotated[int, msgspec.Meta(ge=1, le=MAX_ANIME_ID)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class _Columns(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The encoded columns of a list; the gap before the first id is the id itself."""

    gaps: Annotated[tuple[_Gap, ...], msgspec.Meta(max_length=MAX_ENTRIES)]
    scores: bytes
    statuses: bytes
    skipped: _Count
    repeats: _Count
    unclear: _Count = 0
    manga: _Count = 0
    repaired: bool = False


def packed(user_list: UserList) -> str:
    """Encode a list as a text that is safe in a URL or a form: letters, digits, `-` and `_`."""
    ratings = sorted(user_list.ratings, key=lambda one: one.anime_id)
    ids = [0, *(one.anime_id for one in ratings)]
    columns = _Columns(
        gaps=tuple(after - before for before, after in pairwise(ids)),
        scores=bytes(max(one.score, 0) for one in ratings),
        statuses=bytes(CODE_OF_STATUS[one.status] for one in ratings),
        skipped=user_list.skipped,
        repeats=user_list.repeats,
        unclear=user_list.unclear,
        manga=user_list.manga,
        repaired=user_list.repaired,
    )
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    stream = deflate.compress(msgspec.msgpack.encode(columns)) + deflate.flush()
    return VERSION + base64.urlsafe_b64encode(stream).decode().rstrip("=")


def unpacked(text: str) -> UserList:
    """Decode a list that `packed` encoded.

    Raises BadList if it was truncated or changed, has a later version, or unpacks to more than `MAX_UNPACKED` bytes.
    """
    if text[:1] != VERSION:
        raise BadList("The list in this address was not written by this version of Hakken.")
    try:
        return _decoded(text[1:])
    except (binascii.Error, zlib.error, msgspec.DecodeError, KeyError, ValueError) as error:
        raise BadList("The list in this address can't be read: it was cut short or changed along the way.") from error


def _decoded(body: str) -> UserList:
    inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    stream = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    content = inflate.decompress(stream, MAX_UNPACKED)
    if not inflate.eof or inflate.unused_data:
        raise ValueError("not one whole stream of the size allowed")
    columns = msgspec.msgpack.decode(content, type=_Columns)
    ids = list(accumulate(columns.gaps))
    if max(ids, default=0) > MAX_ANIME_ID or max(columns.scores, default=0) > MAX_SCORE:
        raise ValueError("an id or a score beyond its range")
    statuses = [STATUS_OF_CODE[code] for code in columns.statuses]
    ratings = tuple(starmap(Rating, zip(ids, columns.scores, statuses, strict=True)))
    return UserList(ratings, columns.skipped, columns.repeats, columns.unclear, columns.manga, columns.repaired)
