"""Answers that the client keeps on disk."""

import errno
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Response, request

from hakken.config import Settings, SiteRate
from hakken.errors import SiteError
from hakken.files import private_directory
from hakken.sites import client as client_module
from hakken.sites import rate_limit
from hakken.sites.client import HttpClient
from hakken.sites.http import Answer, Deadline, Request
from tests.standin.faults import Faults, reply
from tests.standin.server import Standin

CLIENT_ID = "a-client-id-to-hide"
BODY = b'{"data": {"mal_id": 1, "title": "\xe3\x82\xab"}}'


class Etagged:
    """Answers as a site with ETags does: 304 to who has the current body."""

    def __init__(self) -> None:
        self.body = BODY
        self.not_modified = 0

    def __call__(self) -> Response:
        response = Response(self.body, mimetype="application/json")
        response.add_etag()
        response.headers["Set-Cookie"] = "visitor=1"
        response = response.make_conditional(request)  # type: ignore[assignment]
        self.not_modified += response.status_code == 304
        return response


@pytest.fixture
def site(standin: Standin) -> Etagged:
    site = Etagged()
    standin.fail("mal", site)
    return site


@pytest.fixture
def http(standin: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HttpClient:
    monkeypatch.setattr("hakken.sites.adapter.BACK_OFF_SECONDS", 0.0)
    return client(standin, tmp_path)


@pytest.fixture
def old(http: HttpClient, standin: Standin, site: Etagged) -> Iterator[HttpClient]:
    """Has an answer on disk that is older than a week."""
    get(http, standin)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=7, seconds=1)):
        yield http


def client(standin: Standin, directory: Path | None) -> HttpClient:
    return HttpClient(5, sites={"mal": standin.mal_url}, directory=directory)


def get(http: HttpClient, standin: Standin, anime_id: int = 1) -> bytes:
    return http.get(about(standin, anime_id), http.new_deadline(), keep=True).body


def about(standin: Standin, anime_id: int = 1, client_id: str = CLIENT_ID) -> Request:
    return Request(f"{standin.mal_url}/anime/{anime_id}", {"fields": "a,b"}, {"X-MAL-CLIENT-ID": client_id})


def test_what_is_kept_is_not_asked_for_again_also_by_another_process_and_can_be_had_without_asking(
    http: HttpClient, standin: Standin, site: Etagged, tmp_path: Path
) -> None:
    assert http.kept(about(standin)) is None
    assert standin.requests == []
    assert get(http, standin) == get(http, standin) == get(client(standin, tmp_path), standin) == BODY
    assert http.kept(about(standin, client_id="another")) == Answer("127.0.0.1", 200, BODY)
    assert len(standin.requests) == 1
    assert get(http, standin, 2) == BODY
    assert len(standin.requests) == 2
    assert site.not_modified == 0


def test_lists_are_not_kept_so(http: HttpClient, standin: Standin, tmp_path: Path) -> None:
    for _ in range(2):
        http.get(Request(f"{standin.jikan_url}/users/empty/animelist"), http.new_deadline())

    assert len(standin.requests) == 2
    assert not list(tmp_path.iterdir())


def test_what_is_old_is_asked_about_and_holds_on_or_is_replaced(
    old: HttpClient, standin: Standin, site: Etagged
) -> None:
    assert old.kept(about(standin))
    assert get(old, standin) == BODY
    assert site.not_modified == 1
    assert get(old, standin) == BODY  # and is fresh again
    assert len(standin.requests) == 2
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        site.body = b"{}"
        assert get(old, standin) == b"{}"
    assert site.not_modified == 1


@pytest.mark.parametrize("fault", [Faults.OUT_OF_ORDER, Faults.BUSY_FOR_AN_HOUR, Faults.RESET, Faults.HUGE_BODY])
def test_what_is_old_is_better_than_nothing(old: HttpClient, standin: Standin, fault: Faults) -> None:
    standin.fail("mal", fault)
    assert get(old, standin) == BODY
    with pytest.raises(SiteError):
        get(old, standin, 2)  # of which nothing is kept


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_handed_on_and_not_kept(http: HttpClient, standin: Standin, status: int) -> None:
    standin.fail("mal", reply(status, "{}"))
    for _ in range(2):
        assert http.get(about(standin), http.new_deadline(), keep=True).status == status
    assert len(standin.requests) == 2
    assert http.kept(about(standin)) is None


def test_lists_that_an_earlier_version_left_on_disk_are_deleted(tmp_path: Path) -> None:
    settings = Settings(cache_dir=str(tmp_path))
    HttpClient.from_settings(settings)
    [directory] = [path for path in tmp_path.rglob("*") if path.is_dir()]
    (directory / "lists.sqlite").write_bytes(b"someone's list")
    HttpClient.from_settings(settings)
    assert not (directory / "lists.sqlite").exists()


def test_no_secret_and_no_cookie_is_on_the_disk(
    http: HttpClient, standin: Standin, site: Etagged, tmp_path: Path
) -> None:
    get(http, standin)

    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"/anime/1" in on_disk
    assert CLIENT_ID.encode() not in on_disk
    get(http, standin, 2)
    assert all("Cookie" not in seen.headers for seen in standin.requests)


def test_what_is_damaged_is_no_answer_and_asked_for_anew(
    http: HttpClient, standin: Standin, site: Etagged, tmp_path: Path
) -> None:
    get(http, standin)
    with sqlite3.connect(tmp_path / "facts.sqlite") as connection:
        connection.execute("UPDATE responses SET value = 'nonsense'")

    assert http.kept(about(standin)) is None
    assert get(http, standin) == BODY
    assert len(standin.requests) == 2


@pytest.mark.parametrize(("place", "asked"), [("no directory", 2), ("a directory", 2), ("no database", 1)])
def test_without_a_file_that_can_be_used_nothing_is_kept_and_one_that_is_no_database_is_replaced(
    standin: Standin, site: Etagged, tmp_path: Path, place: str, asked: int
) -> None:
    http = client(standin, None if place == "no directory" else tmp_path)
    if place == "a directory":
        (tmp_path / "facts.sqlite").mkdir()
    if place == "no database":
        (tmp_path / "facts.sqlite").write_bytes(b"no database" * 1000)
    assert http.kept(about(standin)) is None
    assert get(http, standin) == get(http, standin) == BODY
    assert (http.kept(about(standin)) is None) == (asked == 2)
    assert len(standin.requests) == asked


def test_a_file_that_is_damaged_later_costs_no_answer(
    http: HttpClient, standin: Standin, site: Etagged, tmp_path: Path
) -> None:
    get(http, standin)
    assert http.kept(about(standin))  # so that both sides have it open
    for path in tmp_path.glob("facts.sqlite*"):
        with path.open("r+b") as file:
            file.write(b"x" * path.stat().st_size)

    assert get(http, standin) == BODY
    assert http.kept(about(standin)) is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize("hold", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_whoever_holds_the_file_holds_up_nobody_who_looks_and_costs_nobody_an_answer(
    http: HttpClient, standin: Standin, site: Etagged, tmp_path: Path, hold: str
) -> None:
    get(http, standin)
    with closing(sqlite3.connect(tmp_path / "facts.sqlite", isolation_level=None)) as other:
        other.execute(hold)
        another = client(standin, tmp_path)
        begun = time.monotonic()
        for _ in range(5):
            http.kept(about(standin))
            another.kept(about(standin))
        assert time.monotonic() - begun < 5  # the library itself would wait five seconds each time
        assert get(another, standin, 2) == BODY


# Size, and a full disk


def kept(http: HttpClient, standin: Standin, ids: Iterable[int]) -> list[int]:
    return [one for one in ids if http.kept(about(standin, one))]


@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_BYTES"])
def test_what_is_oldest_leaves_first_and_the_file_has_a_size(
    http: HttpClient, standin: Standin, site: Etagged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    site.body = b'{"data": "' + b"x" * 20_000 + b'"}'
    for number in range(1, 41):  # before there was a limit
        get(http, standin, number)
    file = tmp_path / "facts.sqlite"
    monkeypatch.setattr(client_module, limit, 12 if limit == "MAX_ROWS" else 300_000)
    for number in range(41, 45):
        get(http, standin, number)
    left = kept(http, standin, range(1, 45))
    assert left == [*range(45 - len(left), 45)]
    assert 8 <= len(left) <= 12
    if limit == "MAX_BYTES":
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert file.stat().st_size < 400_000
    with time_machine.travel(datetime.now(UTC) + timedelta(days=7, seconds=1)):
        get(http, standin, left[0])  # asked for anew: it is the newest now
        for number in range(45, 45 + len(left) - 1):
            get(http, standin, number)
    assert kept(http, standin, left[:2]) == [left[0]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, where one can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "none", place], check=False).returncode:
        pytest.skip("No file system can be mounted here: a full disk was NOT CHECKED")
    try:
        yield place
    finally:
        subprocess.run([mount.replace("mount", "umount"), "--lazy", place], check=True)


@pytest.mark.parametrize("begun", [False, True])
def test_when_a_full_disk_has_room_again_all_is_kept_and_counted_again(
    standin: Standin, site: Etagged, small_disk: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    monkeypatch.setattr(rate_limit, "RETRY_SECONDS", 0.0)
    site.body = b'{"data": "' + b"x" * 20_000 + b'"}'
    http, limit = client(standin, small_disk), rate_limit.RateLimit("mal", [SiteRate(100, 60)], small_disk)
    if begun:
        get(http, standin)
        limit.wait(Deadline.after(5))
        assert kept(http, standin, [1]) == [1]
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(small_disk).free == 0
    before = len(standin.requests)
    for number in range(2, 7):
        assert get(http, standin, number) == site.body
        limit.wait(Deadline.after(5))
    assert kept(http, standin, range(2, 7)) == []
    assert len(standin.requests) == before + 5  # none is sent twice for want of room
    assert private_directory(small_disk) == small_disk

    filler.unlink()
    get(http, standin, 7)
    assert kept(http, standin, [7]) == [7]
    counts = []
    for _ in range(2):
        limit.wait(Deadline.after(5))
        with closing(sqlite3.connect(small_disk / "rate-mal.sqlite")) as connection:
            counts += connection.execute("SELECT count(*) FROM rate_bucket").fetchone()
    assert counts[1] == counts[0] + 1


def test_a_directory_that_is_full_is_used_and_one_that_is_not_allowed_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, same in ((errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)):

        def fail(*_: object, number: int = number, **__: object) -> None:
            raise OSError(number, "no")

        monkeypatch.setattr("tempfile.TemporaryFile", fail)
        assert (private_directory(tmp_path) == tmp_path) is same
