"""Reading uploaded lists, which may be any file at all."""

import contextlib
import gzip
import io
import json
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.errors import ExportError, ExportTooLarge, MangaExport, NotAnExport, ServerBusy
from hakken.lists import uploads
from hakken.lists.uploads import MAX_PACKED, parse
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
    <user_name>someone</user_name>
    <user_export_type>1</user_export_type>
    <user_total_anime>4</user_total_anime>
  </myinfo>
  <anime>
    <series_animedb_id>1</series_animedb_id>
    <series_title><![CDATA[カウボーイビバップ & <friends>]]></series_title>
    <series_type>TV</series_type>
    <series_episodes>26</series_episodes>
    <my_id>0</my_id>
    <my_watched_episodes>26</my_watched_episodes>
    <my_score>10</my_score>
    <my_status>Completed</my_status>
    <my_comments><![CDATA[]]></my_comments>
    <my_rewatching>1</my_rewatching>
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


def anime(body: str) -> str:
    return f"<myanimelist><anime>{body}</anime></myanimelist>"


def fields(anime_id: object = 1, score: object = 8, status: object = "Completed") -> str:
    return (
        f"<series_animedb_id>{anime_id}</series_animedb_id><my_score>{score}</my_score><my_status>{status}</my_status>"
    )


# Exports


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())], ids=["xml", "gz"])
def test_an_export_is_read_packed_or_not(pack: Callable[[str], bytes]) -> None:
    assert read(pack(EXPORT)) == UserList(RATINGS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "ascii"])
def test_an_export_may_say_its_encoding(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = EXPORT.replace("UTF-8", declared).replace("カウボーイビバップ", "Bebop" if declared == "ascii" else "é")

    assert read(text.encode(encoding)) == UserList(RATINGS)


def test_an_export_longer_than_what_is_read_at_once_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hakken.lists.uploads.MAX_SECONDS", 60.0)  # a busy machine may take its time
    entries = "".join(f"<anime>{fields(number, number % 11)}</anime>" for number in range(1, 20_001))

    fetched = read(f"<myanimelist>{entries}</myanimelist>")

    assert fetched == UserList(tuple(Rating(number, number % 11) for number in range(1, 20_001)))


@pytest.mark.parametrize(
    "text", ["<myanimelist/>", "<myanimelist> </myanimelist>", EXPORT[: EXPORT.index("  <anime>")]]
)
def test_an_export_of_nothing_is_an_empty_list(text: str) -> None:
    assert read(text if text.endswith(">") else text + "</myanimelist>") == UserList()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<my_score>8</my_score>",
        *(fields(one) for one in ("", 0, 2**31, "one", "٣", "9" * 5000)),
        f"<deeper>{fields()}</deeper>",
    ],
)
def test_an_entry_without_a_readable_id_is_counted(body: str) -> None:
    text = f"<myanimelist><anime>{fields(7)}</anime><anime>{body}</anime><anime>{fields(9)}</anime></myanimelist>"

    assert read(text) == UserList((Rating(7, 8), Rating(9, 8)), skipped=1)


@pytest.mark.parametrize("status", ["Wat&#99;hing", "<![CDATA[Watching]]>", " watching\n", "1"])
@pytest.mark.parametrize("anime_id", ["series_animedb_id", "anime_animedb_id", "mal_id", "myanimelist_id"])
@pytest.mark.parametrize("namespace", ["", "m:", "X:"])
def test_fields_have_other_names_and_spellings(status: str, anime_id: str, namespace: str) -> None:
    text = (
        f'<{namespace}MyAnimeList xmlns:m="urn:a"><{namespace}anime><{anime_id}>5</{anime_id}><score>7.5</score>'
        f"<my_status>{status}</my_status></{namespace}anime></{namespace}MyAnimeList>"
    )

    assert read(text) == UserList((Rating(5, 8, Status.WATCHING),))


def test_what_stands_elsewhere_is_no_entry() -> None:
    text = f"<myanimelist><other><anime>{fields()}</anime></other>{fields()}</myanimelist>"

    assert read(text) == UserList()


# Other files


@pytest.mark.parametrize(
    "text",
    [
        "<myanimelist><manga><manga_mangadb_id>1</manga_mangadb_id></manga></myanimelist>",
        "<myanimelist><myinfo><user_export_type> 2\n</user_export_type></myinfo></myanimelist>",
        '[{"manga_id": 1, "score": 3, "status": "reading"}]',
    ],
)
def test_the_export_of_a_manga_list_is_told_apart(text: str) -> None:
    with pytest.raises(MangaExport):
        read(text)


def test_entries_decide_what_a_list_is_of() -> None:
    text = EXPORT.replace("<user_export_type>1", "<user_export_type>2").replace(
        "</myanimelist>", "<manga><series_animedb_id>7</series_animedb_id></manga></myanimelist>"
    )

    assert read(text) == UserList(RATINGS, manga=1)


# Files that are nearly right

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "an ampersand": lambda data: data.replace(b"<series_type>TV", b"<series_type>TV & film"),
    "an unknown entity": lambda data: data.replace(b"<series_type>TV", b"<series_type>TV&nbsp;&#0;&eacute"),
    "a heart": lambda data: data.replace(b"<series_type>TV", b"<series_type>I <3 TV, not </3"),
    "control characters": lambda data: data.replace(b"<series_type>TV", b"<series_type>T\x00\x0b\x1fV"),
    "bytes of another encoding": lambda data: data.replace(b"<series_type>TV", b"<series_type>Caf\xe9\xff"),
    "a wrong encoding": lambda data: data.replace(b"UTF-8", b"ascii"),
    "an unknown encoding": lambda data: data.replace(b"UTF-8", b"utf8mb4"),
    "another encoding, as it says": lambda data: data.decode().replace("UTF-8", "shift_jis").encode("shift_jis"),
    "another encoding than it says": lambda data: data.decode().encode("shift_jis"),
    "UTF-16 that says UTF-8": lambda data: data.decode().encode("utf-16"),
    "a line before it": lambda data: b"\n" + data,
    "a warning before it": lambda data: b"<br />\n<b>Warning</b>: date()\n" + data,
    "an unbound prefix": lambda data: data.replace(b"<series_type>TV</series_type>", b"<x:type>TV & film</x:type>"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("padding", [0, uploads.CHUNK - EXPORT.index("TV") - 5], ids=["short", "across chunks"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["xml", "gz"])
def test_a_file_that_is_nearly_right_is_repaired(
    damage: Callable[[bytes], bytes], padding: int, pack: Callable[[bytes], bytes]
) -> None:
    data = EXPORT.replace("<myanimelist>", "<myanimelist>" + " " * padding).encode()
    assert damage(data) != data

    assert read(pack(damage(data))) == UserList(RATINGS, repaired=True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (EXPORT.replace("</series_type>", "", 1), 25),
        ("\n\n" + EXPORT.replace("</series_type>", "", 1), 27),
        (EXPORT[: EXPORT.index("<my_rewatching>")], 24),
        ('[{"anime_id": 1},\n{"anime_id": 2}\n{"anime_id": 3}]', 3),
        ('[{"anime_id": 1},\n{"anime_id": 2},', 2),
    ],
)
def test_what_cannot_be_repaired_is_told_by_its_line(text: str, line: int) -> None:
    with pytest.raises(NotAnExport, match=f"line {line}\\."):
        read(text)


# JSON

ANILIST = [
    {"score": 4.5, "status": "COMPLETED", "media": {"id": 90, "idMal": 1}},
    {"score": None, "status": None, "media": {"id": 91, "idMal": 2}},
    {"score": 5, "status": "PLANNING", "media": {"id": 92, "idMal": None}},
    {"score": 5, "status": "PLANNING", "media": None},
    None,
]
KITSU = [
    *(
        {
            "type": "libraryEntries",
            "attributes": {"status": status, "ratingTwenty": points},
            "relationships": {"anime": {"data": {"type": "anime", "id": anime_id}}},
        }
        for anime_id, status, points in (("12", "on_hold", 17), ("13", "planned", None), ("14", "current", 20))
    ),
    {"type": "libraryEntries", "relationships": {"manga": {"data": {"type": "manga", "id": "12"}}}},
]
KITSU_INCLUDED = [
    {"type": "anime", "id": "12", "relationships": {"mappings": {"data": [{"type": "mappings", "id": "77"}]}}},
    {"type": "mappings", "id": "77", "attributes": {"externalSite": "myanimelist/anime", "externalId": "21"}},
    {"type": "mappings", "id": "79", "attributes": {"externalSite": "anidb", "externalId": "99"}},
    {
        "type": "mappings",
        "id": "78",
        "attributes": {"externalSite": "myanimelist/anime", "externalId": "30"},
        "relationships": {"item": {"data": {"type": "anime", "id": "13"}}},
    },
]


def anilist(score_format: str | None) -> object:
    user = {"mediaListOptions": {"scoreFormat": score_format}} if score_format else None
    lists = [{"name": "Completed", "entries": ANILIST}, {"entries": None}, {"name": "Mine", "entries": ANILIST[:1]}]
    return {"data": {"MediaListCollection": {"user": user, "lists": lists}}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (anilist("POINT_5"), UserList((Rating(1, 9), Rating(2)), skipped=2)),
        (anilist("POINT_10_DECIMAL"), UserList((Rating(1, 5), Rating(2)), skipped=2)),
        (anilist(None), UserList((Rating(1, 5), Rating(2)), skipped=2)),
        (
            {"data": KITSU, "included": KITSU_INCLUDED},
            UserList((Rating(21, 9, Status.ON_HOLD), Rating(30, 0, Status.PLAN_TO_WATCH)), skipped=1, manga=1),
        ),
        (
            {"data": [{"node": {"id": 1, "title": "x"}, "list_status": {"status": "on_hold", "score": 7}}]},
            UserList((Rating(1, 7, Status.ON_HOLD),)),
        ),
        (
            {"data": [{"anime": {"mal_id": 1}, "watching_status": 6, "score": 0}]},
            UserList((Rating(1, 0, Status.PLAN_TO_WATCH),)),
        ),
        (
            [{"anime_id": 1, "status": 2, "score": 85}, {"anime_id": 2, "score": 9}],
            UserList((Rating(1, 9), Rating(2, 1))),
        ),
        ([], UserList()),
    ],
)
@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda data: b"\xef\xbb\xbf\r\n" + data], ids=["json", "gz", "bom"]
)
def test_lists_in_json(content: object, expected: UserList, pack: Callable[[bytes], bytes]) -> None:
    assert read(pack(json.dumps(content).encode())) == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"lists": [{"series_id": 1, "series_type": 0, "status": 2, "score": 80}]}, "enter the username"),
        ({"data": KITSU, "included": []}, "MyAnimeList's format"),
        ({"anime": []}, "not an anime list"),
        ([1, 2, 3], "not an anime list"),
    ],
)
def test_json_without_ids_of_myanimelist_says_what_else_to_choose(content: object, told: str) -> None:
    with pytest.raises(NotAnExport, match=told):
        read(json.dumps(content))


# Other files


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        zipped(animelist_xml=EXPORT.encode()),
        zipped(readme_txt=b"Hello", animelist_XML=EXPORT.encode()),
        zipped(animelist_xml_gz=gzip.compress(EXPORT.encode())),
        b"".join(map(gzip.compress, (EXPORT[:300].encode(), b"", EXPORT[300:].encode()))) + b"\0\0",
    ],
    ids=["zip", "zip of two", "zip of gz", "joined gz"],
)
def test_other_packings(data: bytes) -> None:
    assert read(data) == UserList(RATINGS)


LAUGHS = """<?xml version="1.0"?><!DOCTYPE myanimelist [<!ENTITY a "ha">
{}]><myanimelist><anime><series_animedb_id>&j;</series_animedb_id></anime></myanimelist>""".format(
    "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij", strict=True))
)
EXTERNAL = '<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/hostname">]><myanimelist><anime>&e;</anime></myanimelist>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\x1f",
        b"\x1f\x8b",
        b"\x00" * 1000,
        b"anime_id,score\n1,10\n",
        b'{"anime": []}',
        b"<html></html>",
        b"<myanimelist></myanimelist><myanimelist></myanimelist>",
        b"<anime/>",
        b"<!DOCTYPE myanimelist><myanimelist/>",
        b'<!DOCTYPE myanimelist SYSTEM "http://127.0.0.1/x.dtd"><myanimelist/>',
        LAUGHS.encode(),
        gzip.compress(LAUGHS.encode()),
        EXTERNAL.encode(),
        zlib.compress(EXPORT.encode()),
        gzip.compress(gzip.compress(EXPORT.encode())),
        zipped(readme_txt=b"Hello"),
        zipped(one_xml=EXPORT.encode(), two_xml=EXPORT.encode()),
        zipped(animelist_xml=zipped(animelist_xml=EXPORT.encode())),
        zipped(animelist_xml=EXPORT.encode())[:-30],
        zipped(animelist_xml=EXPORT.encode()).replace(b"PK\x01\x02", b"PK\x01\x03"),
        b"[" * 10_000,
        b"{",
        gzip.compress(EXPORT.encode())[:-1],
        gzip.compress(EXPORT.encode())[:-8] + b"\x00" * 8,
        gzip.compress(EXPORT.encode()) + b"junk",
        gzip.compress(EXPORT.encode())[:20] + b"\xff" * 20,
        b"<myanimelist>" + b"<a>" * 16 + b"</a>" * 16 + b"</myanimelist>",
        b"<myanimelist " + b" ".join(b'a%d=""' % number for number in range(200_000)),
        b"<myanimelist><!--" + b"x" * (2 * MEGABYTE) + b"--></myanimelist>",
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


def bomb(padding: bytes) -> bytes:
    return gzip.compress(b"<myanimelist>" + padding * (100 * MEGABYTE // len(padding)), compresslevel=1)


@pytest.mark.parametrize("padding", [b"text &amp; text", f"<anime>{fields(status=5)}</anime>".encode()])
def test_a_file_that_unpacks_to_too_much_is_too_large(padding: bytes) -> None:
    with pytest.raises(ExportTooLarge):
        read(bomb(padding))


@pytest.mark.parametrize(
    "data", [bomb(b" "), b"<myanimelist>" + b"<a/>" * 400_000 + b"</myanimelist>"], ids=["text", "elements"]
)
def test_neither_text_nor_a_tree_is_kept(data: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(ExportTooLarge):
            read(data)
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


STARVING = {
    "entries": b"<myanimelist>" + b"<anime/>" * 60_000,
    "elements": b"<myanimelist>" + b"<a/>" * 2_000_000,
    "fields": b"<myanimelist><anime>" + b"<a/>" * 2_000_000,
    "packed elements": gzip.compress(b"<myanimelist>" + b"<a/>" * 2_000_000),
    "nesting": b"<myanimelist>" + b"<a>" * 100_000,
    "gzip members": gzip.compress(b" ") * 20_000,
    "packed spaces": gzip.compress(b"<myanimelist>" + b" " * 10_000_000),
    "zipped spaces": zipped(animelist_xml=b"<myanimelist>" + b" " * 10_000_000),
    "zipped files": zipped(**{f"{number}_xml": b"" for number in range(5_000)}),
    "JSON lists": b"[" + b"[]," * 2_000_000 + b"[]]",
    "JSON entries": b"[" + b'{"anime_id":1},' * 60_000 + b"{}]",
    "JSON text": b'["' + b"x" * 2**24 + b'"]',
}


@pytest.mark.parametrize("data", STARVING.values(), ids=STARVING.keys())
def test_a_file_that_would_keep_others_waiting_is_refused(data: bytes) -> None:
    with pytest.raises(ExportTooLarge):
        read(data, max_packed=MAX_PACKED * 2)


def test_the_time_for_a_file_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_SECONDS", -1.0)

    with pytest.raises(ExportTooLarge, match="too long"):
        read(EXPORT)


def test_two_files_are_read_at_once_and_a_third_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_WAIT", 0.01)
    reading, may_end = threading.Barrier(3), threading.Event()

    def hold(chunks: object) -> UserList:
        reading.wait()
        may_end.wait()
        return UserList()

    with monkeypatch.context() as held, ThreadPoolExecutor() as pool:
        held.setattr("hakken.lists.mal_export.parse", hold)
        both = [pool.submit(read, EXPORT) for _ in range(2)]
        reading.wait()
        with pytest.raises(ServerBusy):
            read(EXPORT)
        may_end.set()
        assert [one.result() for one in both] == [UserList(), UserList()]
    assert read(EXPORT) == UserList(RATINGS)


# Any file


def outcome(data: bytes) -> UserList | ExportError:
    """Read anything: the result, or the error, which must be one of ours."""
    try:
        return read(data)
    except ExportError as error:
        return error


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
        outcome(anything)


def test_an_archive_with_any_damaged_byte_is_a_list_or_an_export_error() -> None:
    archive = zipped(animelist_xml=EXPORT.encode())
    for position in range(len(archive)):
        for byte in (0, 12, 255):
            outcome(archive[:position] + bytes([byte]) + archive[position + 1 :])


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
