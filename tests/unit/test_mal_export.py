"""Reading MyAnimeList's export, which may be any file at all."""

import contextlib
import gzip
import io
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.errors import ExportError, ExportTooLarge, MangaExport, NotAnExport
from hakken.lists.mal_export import MAX_PACKED, parse
from hakken.ratings import Rating, Status, UserList

MEGABYTE = 2**20

EXPORT = """<?xml version="1.0" encoding="UTF-8" ?>
<!--
 Created by XML Export feature at MyAnimeList.net
 Version 1.1.0
-->

<myanimelist>
  <myinfo>
    <user_id>1</user_id>
    <user_export_type>1</user_export_type>
  </myinfo>
  <anime>
    <series_animedb_id>1</series_animedb_id>
    <series_title><![CDATA[カウボーイビバップ & <friends>]]></series_title>
    <my_score>10</my_score>
    <my_status>Completed</my_status>
    <my_comments><![CDATA[]]></my_comments>
  </anime>
  <anime><series_animedb_id>21</series_animedb_id><my_score>0</my_score><my_status>Watching</my_status></anime>
  <anime><series_animedb_id>30</series_animedb_id><my_score>6</my_score><my_status>On-Hold</my_status></anime>
  <anime><series_animedb_id>40</series_animedb_id><my_score>1</my_score><my_status>Dropped</my_status></anime>
  <anime><series_animedb_id>50</series_animedb_id><my_score>0</my_score><my_status>Plan to Watch</my_status></anime>
</myanimelist>
"""
RATINGS = (
    Rating(1, 10, Status.COMPLETED),
    Rating(21, 0, Status.WATCHING),
    Rating(30, 6, Status.ON_HOLD),
    Rating(40, 1, Status.DROPPED),
    Rating(50, 0, Status.PLAN_TO_WATCH),
)


def read(data: bytes | str, *, max_packed: int = MAX_PACKED, max_unpacked: int = 5 * MAX_PACKED) -> UserList:
    packed = data.encode() if isinstance(data, str) else data
    return parse(io.BytesIO(packed), max_packed=max_packed, max_unpacked=max_unpacked)


def fields(anime_id: object = 1, score: object = 8, status: object = "Completed") -> str:
    return (
        f"<series_animedb_id>{anime_id}</series_animedb_id><my_score>{score}</my_score><my_status>{status}</my_status>"
    )


# Exports


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "ascii"])
def test_an_export_is_read_packed_or_not_and_may_say_its_encoding(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    title = "カウボーイビバップ" if declared == "utf-8" else "Bebop" if declared == "ascii" else "é"
    text = EXPORT.replace("UTF-8", declared).replace("カウボーイビバップ", title)

    for data in (text.encode(encoding), gzip.compress(text.encode(encoding))):
        assert read(data) == UserList(RATINGS)


def test_an_export_longer_than_what_is_read_at_once_comes_whole() -> None:
    entries = "".join(f"<anime>{fields(number, number % 11)}</anime>" for number in range(1, 20_001))

    fetched = read(f"<myanimelist>{entries}</myanimelist>")

    assert fetched == UserList(tuple(Rating(number, number % 11) for number in range(1, 20_001)))


@pytest.mark.parametrize(
    "inside",
    [
        "",
        " ",
        EXPORT[EXPORT.index("  <myinfo>") : EXPORT.index("  <anime>")],
        f"<other><anime>{fields()}</anime></other>{fields()}",
    ],
)
def test_without_an_entry_in_its_place_it_is_an_empty_list(inside: str) -> None:
    assert read(f"<myanimelist>{inside}</myanimelist>") == UserList()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (fields(status=1), Rating(1, 8, Status.WATCHING)),  # old exports have numbers for the statuses
        (fields(status=2), Rating(1, 8)),
        (fields(status=3), Rating(1, 8, Status.ON_HOLD)),
        (fields(status=4), Rating(1, 8, Status.DROPPED)),
        (fields(status=6), Rating(1, 8, Status.PLAN_TO_WATCH)),
        (fields(status="  plan to watch\n"), Rating(1, 8, Status.PLAN_TO_WATCH)),
        (fields(status="<![CDATA[On-Hold]]>"), Rating(1, 8, Status.ON_HOLD)),
        (fields(status="Wat&#99;hing"), Rating(1, 8, Status.WATCHING)),
        (fields(score=""), Rating(1)),
        (fields(score=0), Rating(1)),
        (fields().replace("<my_score>8</my_score>", "<my_score/>"), Rating(1)),
        (fields().replace("<my_score>8</my_score>", ""), Rating(1)),
    ],
)
def test_an_entry_may_be_written_in_several_ways(body: str, expected: Rating) -> None:
    assert read(f"<myanimelist><anime>{body}</anime></myanimelist>").ratings == (expected,)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<my_score>8</my_score>",
        "<series_animedb_id>1</series_animedb_id>",
        *(fields(anime_id=one) for one in ("", 0, 2**31, "one", "٣", "9" * 5000)),
        *(fields(score=one) for one in (11, -2, "ten")),
        *(fields(status=one) for one in (5, "", "Reading")),
        f"<deeper>{fields()}</deeper>",
    ],
)
def test_an_entry_that_cannot_be_read_is_skipped_and_counted(body: str) -> None:
    text = f"<myanimelist><anime>{fields(7)}</anime><anime>{body}</anime><anime>{fields(9)}</anime></myanimelist>"

    assert read(text) == UserList((Rating(7, 8), Rating(9, 8)), skipped=1)


# Other files


@pytest.mark.parametrize(
    "text",
    [
        EXPORT.replace("<user_export_type>1", "<user_export_type>2"),
        EXPORT.replace("<user_export_type>1", "<user_export_type> 2\n"),
        "<myanimelist><manga><manga_mangadb_id>1</manga_mangadb_id></manga></myanimelist>",
        "<myanimelist><myinfo><user_export_type>2</user_export_type></myinfo></myanimelist>",
    ],
)
def test_the_export_of_a_manga_list_is_told_apart(text: str) -> None:
    with pytest.raises(MangaExport):
        read(text)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("animelist.xml", EXPORT)
    return file.getvalue()


LAUGHS = """<?xml version="1.0"?><!DOCTYPE myanimelist [<!ENTITY a "ha">
{}]><myanimelist><anime><series_animedb_id>&j;</series_animedb_id></anime></myanimelist>""".format(
    "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij", strict=True))
)
EXTERNAL = '<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/hostname">]><myanimelist><anime>&e;</anime></myanimelist>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b",
        b"\x00" * 1000,
        b"<html></html>",
        b"<myanimelist></myanimelist><myanimelist></myanimelist>",
        b"<myanimelist>&nbsp;</myanimelist>",
        b"<anime/>",
        b'<!DOCTYPE myanimelist SYSTEM "http://127.0.0.1/x.dtd"><myanimelist/>',
        LAUGHS.encode(),
        EXTERNAL.encode(),
        _zip(),
        gzip.compress(gzip.compress(EXPORT.encode())),
        gzip.compress(EXPORT.encode())[:-8] + b"\x00" * 8,
        gzip.compress(EXPORT.encode()) + b"junk",
        gzip.compress(EXPORT.encode())[:20] + b"\xff" * 20,
        EXPORT.encode("utf-16"),
        EXPORT.replace("UTF-8", "ascii").encode(),
        EXPORT.replace("UTF-8", "no-such-encoding").encode(),
        EXPORT.replace("UTF-8", "shift_jis").encode("shift_jis"),
        b"<myanimelist>" + b"<a>" * 100_000,
        b"<myanimelist>" + b"<a>" * 16 + b"</a>" * 16 + b"</myanimelist>",
        b"<myanimelist " + b" ".join(b'a%d=""' % number for number in range(200_000)),
        b"<myanimelist><!--" + b"x" * (2 * MEGABYTE) + b"--></myanimelist>",
        b"<myanimelist>" + b"<!-- -->" * 250_000 + b"</myanimelist>",
    ],
    ids=lambda data: f"{len(data)} bytes",  # not their content: what is packed holds the time
)
def test_another_file_is_not_an_export(data: bytes) -> None:
    with pytest.raises(NotAnExport):
        read(data)


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_export_is_never_a_shorter_list(*, packed: bool) -> None:
    data = EXPORT.strip().encode()
    data = gzip.compress(data) if packed else data
    for length in range(len(data)):
        with pytest.raises(NotAnExport):
            read(data[:length])


# Large files


@pytest.mark.parametrize("padding", [b" ", b"text &amp; text", f"<anime>{fields(status=5)}</anime>".encode()])
def test_a_file_that_unpacks_to_too_much_is_too_large_and_neither_its_text_nor_a_tree_is_kept(padding: bytes) -> None:
    bomb = gzip.compress(b"<myanimelist>" + padding * (100 * MEGABYTE // len(padding)), compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(ExportTooLarge):
            read(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 20 * MEGABYTE  # kept, it would be more than 30


def test_the_limits_are_bytes() -> None:
    packed = gzip.compress(EXPORT.encode())
    size = len(EXPORT.encode())

    assert read(packed, max_packed=len(packed), max_unpacked=size).ratings == RATINGS
    assert read(EXPORT, max_packed=size, max_unpacked=size).ratings == RATINGS
    for data, max_packed, max_unpacked in (
        (packed, len(packed) - 1, size),
        (packed, len(packed), size - 1),
        (EXPORT, size - 1, size),
        (EXPORT, size, size - 1),
    ):
        with pytest.raises(ExportTooLarge):
            read(data, max_packed=max_packed, max_unpacked=max_unpacked)


def test_more_entries_or_elements_than_an_export_can_have_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hakken.lists.mal_export._MAX_ELEMENTS", 60_000)
    for elements in ("<anime/>" * 50_002, "<a/>" * 60_000):
        with pytest.raises(ExportTooLarge, match="more entries"):
            read(f"<myanimelist>{elements}</myanimelist>")


# Any file


TAGS = st.sampled_from(
    ["myanimelist", "myinfo", "anime", "manga", "user_export_type", "series_animedb_id", "my_score", "my_status", "a:b"]
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["1", "2", "6", "10", "Completed", "&amp;", "&x;", "<![CDATA[", "]]>", "<!--", "-->", "<?a?>"]),
)


def _element(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda tag, parts, closing: f"<{tag}>{''.join(parts)}</{closing or tag}>",
        TAGS,
        st.lists(inside, max_size=5),
        st.none() | TAGS,
    )


@given(st.recursive(TEXTS, _element, max_leaves=30))
def test_anything_like_xml_is_a_list_or_an_export_error(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    for anything in (data, gzip.compress(data), b"\x1f\x8b" + data, b"<myanimelist>" + data + b"</myanimelist>"):
        with contextlib.suppress(ExportError):
            read(anything)


@given(
    st.lists(
        st.builds(Rating, st.integers(1, 2**31 - 1), st.integers(0, 10), st.sampled_from(Status)),
        unique_by=lambda rating: rating.anime_id,
    )
)
def test_what_was_exported_is_what_is_read(ratings: list[Rating]) -> None:
    words = {Status.ON_HOLD: "On-Hold", Status.PLAN_TO_WATCH: "Plan to Watch"}
    entries = (
        f"<anime>{fields(one.anime_id, one.score, words.get(one.status, one.status.capitalize()))}</anime>"
        for one in ratings
    )

    assert read(f"<myanimelist>{''.join(entries)}</myanimelist>") == UserList(tuple(ratings))
