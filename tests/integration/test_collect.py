"""`collect`, over the stand-in: real HTTP, real files, real signals."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click.testing
import pytest
from pyarrow import parquet

from hakken.cli.collect import collect
from hakken.config import SiteRate
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline, Request
from hakken.training.tables import read_ratings
from tests.integration.test_rate_limit import most_at_once
from tests.serving import until
from tests.standin.crowd import crowd
from tests.standin.faults import Faults
from tests.standin.server import Standin
from tests.standin.sites import CLIENT_ID

TITLES = (1, *range(5, 9), *range(15, 34), *range(43, 49))
SEASON = range(60_001, 60_017)


@pytest.fixture
def people(standin: Standin, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """A stand-in with a crowd, and the settings of a process that collects from it, with a small model."""
    monkeypatch.setattr("hakken.model.store.EMBEDDED_PATH", trained)
    crowd.size, crowd.titles, crowd.season = 60, TITLES, SEASON
    for name, value in environment(standin).items():
        monkeypatch.setenv(name, value)
    yield standin
    crowd.empty()


def environment(standin: Standin) -> dict[str, str]:
    return {
        "MAL_CLIENT_ID": CLIENT_ID,
        "HAKKEN_MAL_URL": standin.mal_url,
        "HAKKEN_JIKAN_URL": standin.jikan_url,
        "HAKKEN_CACHE_DIR": standin.cache.name,
        "HAKKEN_SITE_RATES": "mal=200/s jikan=200/s",
    }


def run(out: Path, *arguments: str, status: int = 0) -> str:
    result = click.testing.CliRunner().invoke(collect, ["--out", str(out), *arguments])
    assert result.exit_code == status, result.output
    return result.output


def write_names(path: Path, numbers: range) -> Path:
    path.write_text("".join(f"fan-{number}\n" for number in numbers))
    return path


def lists_in(out: Path) -> dict[str, dict[int, tuple[int, int]]]:
    """What the parts hold: user → anime id → score and status; each pair once."""
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for part in (out / "lists").glob("part-*.parquet"):
        for row in parquet.read_table(part).to_pylist():
            entries = found.setdefault(row["username"], {})
            assert row["anime_id"] not in entries
            entries[row["anime_id"]] = row["my_score"], row["my_status"]
    return found


def expected(numbers: range) -> list[dict[int, tuple[object, int]]]:
    lists = (crowd.list_of(f"fan-{number}") for number in numbers)
    return [{int(str(one.anime_id)): (one.score, one.code) for one in some} for some in lists if some]


def in_order(lists: object) -> list[str]:
    return sorted(map(repr, lists))  # type: ignore[call-overload]  # of dictionaries


def test_named_people_are_collected_into_a_table_that_train_reads(people: Standin, tmp_path: Path) -> None:
    out = tmp_path / "collected"
    names = write_names(tmp_path / "names", range(1, 11))
    names.write_text(names.read_text() + "\nempty\n FAN-1 \nrecluse\nnobody\n")
    said = run(out, "--usernames", str(names), "--quiet")
    assert said == ""
    assert in_order(lists_in(out).values()) == in_order(expected(range(1, 11)))
    table = read_ratings(out / "lists")
    assert table.n_users == 10
    assert len(table) == sum(map(len, expected(range(1, 11))))
    assert stat.S_IMODE((out / "secret").stat().st_mode) == 0o600
    written = [path for path in out.rglob("*") if path.is_file() and path.name != "names.sqlite"]
    assert len(written) >= 3
    assert not [path for path in written if b"fan-" in path.read_bytes()]
    said = run(out, "--status")
    assert "people      11 with a list, 0 not visited yet, 2 private or gone" in said
    assert "full round  0:00:00 at the set rate" in said
    assert len(people.requests) == 13, "nobody is asked for again, and none twice"


def test_people_are_discovered_by_the_titles_they_touched_and_visited_again_when_their_list_is_old(
    people: Standin, tmp_path: Path
) -> None:
    out = tmp_path / "collected"
    run(out, "--discover", "--lists", "60")
    assert in_order(lists_in(out).values()) == in_order(expected(range(1, 61)))
    run(out, "--lists", "60")
    assert sum(seen.path.endswith("/animelist") for seen in people.requests) == 60, "none is old"
    before = read_ratings(out / "lists")
    crowd.month, crowd.gone = 1, {3, 4}
    time.sleep(1.1)  # times are kept in seconds
    said = run(out, "--refresh-after", "1s", "--lists", "60")
    assert "60 with a list, 0 not visited yet, 2 private or gone" in said
    after = read_ratings(out / "lists")
    assert before.n_users == after.n_users == 60, "who is gone now was there before"
    assert sorted(before.statuses.tolist()) != sorted(after.statuses.tolist())
    assert after.dropped["an older list of the same user"] > 0


def test_a_person_who_is_forgotten_is_gone_for_good(people: Standin, tmp_path: Path) -> None:
    out = tmp_path / "collected"
    names = str(write_names(tmp_path / "names", range(1, 11)))
    run(out, "--usernames", names)
    run(out, "--forget", "FAN-7")
    others = [*expected(range(1, 7)), *expected(range(8, 11))]
    assert in_order(lists_in(out).values()) == in_order(others)
    run(out, "--usernames", names)
    assert in_order(lists_in(out).values()) == in_order(others)
    assert not [path for path in out.rglob("*") if path.is_file() and b"fan-7" in path.read_bytes().lower()]


@pytest.mark.parametrize("fault", [Faults.OUT_OF_ORDER, Faults.BUSY, Faults.TRUNCATED_JSON, Faults.FORBIDDEN_HTML])
def test_a_site_that_fails_is_waited_for_and_no_list_is_lost(
    people: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Faults
) -> None:
    monkeypatch.setattr("hakken.collecting.collector.MAX_REST", 0.01)
    monkeypatch.setattr("hakken.collecting.collector.HOUR", 0)
    monkeypatch.setattr("hakken.collecting.people.ABSENT_DAYS", 0)
    monkeypatch.setattr("hakken.sites.adapter.BACK_OFF_SECONDS", 0.0)
    monkeypatch.setattr("hakken.sites.adapter.REST_SECONDS", 0.01)
    people.fail("mal", lambda: fault() if len(people.requests) < 12 else None, after=5)
    out = tmp_path / "collected"
    run(out, "--usernames", str(write_names(tmp_path / "names", range(1, 11))))
    assert in_order(lists_in(out).values()) == in_order(expected(range(1, 11)))


@pytest.mark.parametrize("fault", [Faults.NOT_FOUND_HTML, Faults.HTML])
def test_a_site_that_tells_nobody_is_asked_for_a_few_titles_only(
    people: Standin, tmp_path: Path, fault: Faults
) -> None:
    people.fail("jikan", fault)
    out = tmp_path / "collected"
    run(out, "--discover", "--usernames", str(write_names(tmp_path / "names", range(1, 6))))
    assert in_order(lists_in(out).values()) == in_order(expected(range(1, 6)))
    assert 0 < people.asked().count("jikan") <= 21


def test_a_refused_client_id_ends_it_with_a_sentence(
    people: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAL_CLIENT_ID", "of-yesterday")
    names = str(write_names(tmp_path / "names", range(1, 3)))
    assert "does not accept this server's MAL_CLIENT_ID" in run(tmp_path / "out", "--usernames", names, status=1)
    monkeypatch.delenv("MAL_CLIENT_ID")
    monkeypatch.delenv("HAKKEN_JIKAN_URL")
    assert "set MAL_CLIENT_ID or HAKKEN_JIKAN_URL" in run(tmp_path / "out", "--usernames", names, status=1)


def started(out: Path, standin: Standin, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hakken", "collect", "--out", str(out), *arguments],
        env=os.environ | environment(standin),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def asked_again(standin: Standin, before: int) -> bool:
    return len(standin.requests) > before


def test_a_process_that_is_killed_at_any_moment_loses_nothing_and_writes_nothing_twice(
    people: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd.size = 300
    out, chance = tmp_path / "collected", random.Random(19)
    names = str(write_names(tmp_path / "names", range(1, 301)))
    for _ in range(6):
        with started(out, people, "--usernames", names) as process:
            until(partial(asked_again, people, len(people.requests)))
            time.sleep(chance.random() / 4)
            process.kill()
    run(out, "--usernames", names)
    assert in_order(lists_in(out).values()) == in_order(expected(range(1, 301)))
    fetched = sum(seen.path.endswith("/animelist") for seen in people.requests)
    assert 300 <= fetched <= 306, "only the lists in flight are fetched again"


def test_ctrl_c_ends_it_with_a_sentence_and_what_was_fetched_is_in_the_table(people: Standin, tmp_path: Path) -> None:
    crowd.size = 2000
    out = tmp_path / "collected"
    with started(out, people, "--usernames", str(write_names(tmp_path / "names", range(1, 2001)))) as process:
        until(lambda: len(people.requests) > 20)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to continue" in said
    assert len(lists_in(out)) >= 20


def test_the_collector_takes_half_of_each_rate_and_counts_in_the_whole(people: Standin, tmp_path: Path) -> None:
    share = HttpClient(
        20, sites={"mal": people.mal_url}, rates={"mal": (SiteRate(10, 1.0),)}, share=0.5, directory=tmp_path
    )
    for _ in range(12):
        share.get(Request(f"{people.mal_url}/users/nobody/animelist"), Deadline.after(20))
    moments = [seen.moment for seen in people.requests]
    assert most_at_once(moments, 1.0) <= 6  # by the stand-in's clock: what is on its way may come later than the next
