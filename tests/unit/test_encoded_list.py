"""Lists that travel in the page: what is packed is unpacked the same, and nothing else is believed."""

import base64
import tracemalloc
import zlib
from contextlib import suppress
from string import ascii_letters, digits

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.serving import popular_list
from hakken.bundle import ModelBundle
from hakken.errors import BadList
from hakken.lists.encoded_list import MAX_UNPACKED, packed, unpacked
from hakken.ratings import MAX_ANIME_ID, MAX_ENTRIES, Rating, Status, UserList

entries = st.builds(Rating, st.integers(1, MAX_ANIME_ID), st.integers(-1, 10), st.sampled_from(Status))


def text_of(content: object, end: int = zlib.Z_FINISH) -> str:
    """Any content, packed as a list would be; without that end, a stream that gives it whole, but does not end."""
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    stream = deflate.compress(msgspec.msgpack.encode(content)) + deflate.flush(end)
    return "1" + base64.urlsafe_b64encode(stream).decode().rstrip("=")


@given(st.lists(entries, max_size=60), *[st.integers(0, 10_000)] * 3, st.booleans())
def test_what_is_packed_is_unpacked_the_same(
    given_entries: list[Rating], skipped: int, unclear: int, manga: int, repaired: bool
) -> None:
    of_entries = UserList.of(given_entries, skipped=skipped)
    user_list = msgspec.structs.replace(of_entries, unclear=unclear, manga=manga, repaired=repaired)

    text = packed(user_list)
    again = unpacked(text)

    expected = {one.anime_id: (max(one.score, 0), one.status) for one in user_list.ratings}
    assert {one.anime_id: (one.score, one.status) for one in again.ratings} == expected
    assert [one.anime_id for one in again.ratings] == sorted(expected)
    assert msgspec.structs.replace(again, ratings=user_list.ratings) == user_list
    assert packed(again) == text
    assert set(text) <= set(ascii_letters + digits + "-_"), "an address holds it as it is"


def test_a_list_of_a_thousand_fits_into_an_address(embedded: ModelBundle) -> None:
    assert len(packed(popular_list(embedded, 300))) < 1_000
    assert len(packed(popular_list(embedded, 1_000))) < 2_500


def test_the_longest_list_that_there_may_be() -> None:
    ids = np.random.default_rng(0).choice(np.arange(1, MAX_ANIME_ID, 30_000), MAX_ENTRIES, replace=False)
    user_list = UserList.of(Rating(one, 1 + one % 10) for one in sorted(ids.tolist()))
    assert unpacked(packed(user_list)).ratings == user_list.ratings
    with pytest.raises(BadList):
        unpacked(text_of([[1] * (MAX_ENTRIES + 1), b"\x09" * (MAX_ENTRIES + 1), b"\x02" * (MAX_ENTRIES + 1), 0, 0]))


GOOD = [[5, 2], b"\x09\x00", b"\x02\x06", 0, 0]


BAD = {
    "another version": "2" + text_of(GOOD)[1:],
    "nothing": "",
    "a version and nothing": "1",
    "not base64": "1!!!!",
    "base64 of another alphabet": "1+/+/",
    "a letter too few": text_of(GOOD)[:-1],
    "a letter too many": text_of(GOOD) + "A",
    "something after the stream": text_of(GOOD) + base64.urlsafe_b64encode(b"more").decode().rstrip("="),
    "not deflated": "1" + base64.urlsafe_b64encode(b"\xff" * 40).decode().rstrip("="),
    "no list": text_of({"ratings": []}),
    "a column too few": text_of(GOOD[:-1]),
    "a column too many": text_of([*GOOD, 0, 0, False, 0]),
    "columns of other lengths": text_of([[5, 2], b"\x09", b"\x02\x06", 0, 0]),
    "an id of zero": text_of([[0], b"\x09", b"\x02", 0, 0]),
    "the same id twice": text_of([[5, 0], b"\x09\x09", b"\x02\x02", 0, 0]),
    "a negative gap": text_of([[5, -1], b"\x09\x09", b"\x02\x02", 0, 0]),
    "an id too large": text_of([[MAX_ANIME_ID, 1], b"\x09\x09", b"\x02\x02", 0, 0]),
    "a score of eleven": text_of([[5], b"\x0b", b"\x02", 0, 0]),
    "a status there is not": text_of([[5], b"\x09", b"\x05", 0, 0]),
    "a gap that is no number": text_of([["5"], b"\x09", b"\x02", 0, 0]),
    "a negative count": text_of([[5], b"\x09", b"\x02", -1, 0]),
    "a stream that does not end": text_of(GOOD, zlib.Z_FULL_FLUSH),
    "a text that swells": text_of(b"\0" * (MAX_UNPACKED + 1)),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_is_no_list_is_refused_in_a_sentence(text: str) -> None:
    assert unpacked(text_of(GOOD)).ratings == (Rating(5, 9), Rating(7, 0, Status.PLAN_TO_WATCH))
    with pytest.raises(BadList, match="The list in this address"):
        unpacked(text)


def test_a_text_that_swells_is_refused_before_it_has_swollen() -> None:
    bomb = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    stream = b"".join(bomb.compress(b"\0" * 2**20) for _ in range(200)) + bomb.flush()
    text = "1" + base64.urlsafe_b64encode(stream).decode().rstrip("=")

    tracemalloc.start()
    try:
        with pytest.raises(BadList):
            unpacked(text)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_UNPACKED
    finally:
        tracemalloc.stop()


@given(st.text(alphabet=ascii_letters + digits + "-_", max_size=300), st.sampled_from(["", "1"]))
def test_any_text_is_a_list_or_refused(text: str, version: str) -> None:
    with suppress(BadList):
        unpacked(version + text)


@given(st.lists(entries, min_size=1, max_size=30), st.data())
def test_a_changed_letter_is_refused_or_read_as_some_list(given_entries: list[Rating], data: st.DataObject) -> None:
    text = packed(UserList.of(given_entries))
    place = data.draw(st.integers(1, len(text) - 1))
    letter = data.draw(st.sampled_from(ascii_letters + digits + "-_"))
    assume(text[place] != letter)
    try:
        found = unpacked(text[:place] + letter + text[place + 1 :])
    except BadList:
        return
    assert all(1 <= one.anime_id <= MAX_ANIME_ID and 0 <= one.score <= 10 for one in found.ratings)
