"""How gunicorn is set up, and what its worker does when it stops."""

import dataclasses
import os
import resource
import runpy
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import prometheus_client.values
import pytest
import requests

from ars_app import create_app
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.serving import memory, metric_files
from hakken.serving.capacity import default_workers
from hakken.web.picks_page import title_index
from tests.serving import PATIENCE, ROOT, served, until, wait_for, workers_of

SLOW = "tests.worker_probe:create_slow_app()"
HELD = "--threads 1 --worker-connections 2"
"""The worker takes two connections at a time, so that the others wait with the kernel."""


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def ask(address: str, seconds: float) -> int:
    """Status of an answer that takes so long, on a connection of its own; 0 for none."""
    with suppress(requests.ConnectionError):
        return requests.get(f"{address}/{seconds}", headers={"Connection": "close"}, timeout=PATIENCE).status_code
    return 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEB_CONCURRENCY", "abc", "can't be used: 'abc' is not a number from 1 to 512."),
        ("WEB_CONCURRENCY", "0", "can't be used: '0' is not a number from"),
        ("PORT", "http", "can't be used: 'http' is not a number from 1 to 65535."),
        ("HAKKEN_DEADLINE", "soon", "can't be used"),
        ("HAKKEN_MODLE", "x", "is unknown; did you mean HAKKEN_MODEL?"),
        ("HAKKEN_LIST_SOURCES", "mal,myspace", "can't be used: 'myspace' is none of mal, jikan, load_json"),
    ],
)
def test_a_wrong_setting_ends_the_start_in_a_sentence(name: str, value: str, said: str) -> None:
    with served("ars_app:create_app()", **{name: value}) as (_, process):
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"The setting {name} {said}" in output
    assert "Traceback" not in output


def test_there_is_a_worker_for_each_core_and_two_at_least() -> None:
    with served(SLOW, WEB_CONCURRENCY="") as (address, process):
        wait_for(address)
        until(lambda: len(workers_of(process)) == default_workers())
    with served(SLOW, WEB_CONCURRENCY="3") as (address, process):
        wait_for(address)
        until(lambda: len(workers_of(process)) == 3)


def test_a_worker_has_one_thread_for_arithmetic() -> None:
    with served("tests.worker_probe:create_probed_app()", HAKKEN_FACTS_SOURCE="off") as (address, _):
        wait_for(address)
        pools = requests.get(f"{address}/pools", timeout=5).json()
    assert any("openblas" in one for one in pools)
    assert set(pools.values()) == {1}


@pytest.mark.parametrize(
    ("stop", "everyone"), [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGHUP, False)]
)
def test_who_waits_in_the_queue_when_gunicorn_stops_or_reloads_is_answered(
    stop: signal.Signals, everyone: bool
) -> None:
    with served(SLOW, GUNICORN_CMD_ARGS=HELD) as (address, process), ThreadPoolExecutor(12) as visitors:
        wait_for(address)
        asked = [visitors.submit(ask, address, 0.15) for _ in range(12)]
        time.sleep(0.3)
        if everyone:  # as who stops a group of processes does; here gunicorn itself hears of it last
            for one in workers_of(process):
                os.kill(one, stop)
            time.sleep(0.1)
        process.send_signal(stop)
        assert Counter(one.result() for one in asked) == {200: 12}
        if stop is signal.SIGTERM:
            assert process.wait(PATIENCE) == 0
            assert ask(address, 0.0) == 0
        else:
            assert ask(address, 0.0) == 200


def test_a_worker_that_has_done_its_share_is_replaced_and_nobody_notices() -> None:
    with served(SLOW, WEB_CONCURRENCY="2", GUNICORN_CMD_ARGS="--max-requests 20 --max-requests-jitter 0") as (
        address,
        _,
    ):
        wait_for(address)
        with ThreadPoolExecutor(8) as visitors:
            answers = list(visitors.map(lambda _: requests.get(f"{address}/0.01", timeout=PATIENCE), range(80)))
    assert {one.status_code for one in answers} == {200}
    assert len({one.text for one in answers}) > 2


@pytest.mark.parametrize(("age", "ready"), [(2, False), (3, True)])
def test_a_worker_that_takes_anothers_place_gets_ready_before_it_answers(
    embedded: ModelBundle, age: int, ready: bool
) -> None:
    bundle = dataclasses.replace(embedded)
    app = create_app(Settings(facts_source="off"), bundle=bundle)
    runpy.run_path(str(ROOT / "gunicorn.conf.py"))["post_worker_init"](
        SimpleNamespace(age=age, cfg=SimpleNamespace(workers=2), wsgi=app)
    )
    assert (bundle.facts in (title_index.cache or {})) == ready
    compiled = {name for _, name in app.jinja_env.cache or {}}
    assert compiled == {path.name for path in (ROOT / "templates").iterdir()}


def test_a_worker_that_can_open_no_more_files_takes_nobody_in_until_it_can() -> None:
    with served(SLOW) as (address, process), ExitStack() as visitors:
        wait_for(address)
        [worker] = workers_of(process)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (len(list(Path(f"/proc/{worker}/fd").iterdir())) + 10, hard))
        for _ in range(30):
            visitors.enter_context(socket.create_connection(("127.0.0.1", port_of(address)), timeout=PATIENCE))
        time.sleep(0.5)
        visitors.close()
        assert ask(address, 0.0) == 200
        assert workers_of(process) == [worker]


def test_nobody_is_believed_of_whom_the_settings_say_nothing() -> None:
    with served("ars_app:create_app()", HAKKEN_HTTPS="on", HAKKEN_FACTS_SOURCE="off") as (address, _):
        wait_for(address)
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on", "Script-Name": "/elsewhere"}
        answer = requests.get(address, headers=headers, allow_redirects=False, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"{address.replace('http:', 'https:')}/")


def test_where_workers_count_nothing_stays_of_those_that_were_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "IN_MEMORY", str(tmp_path))
    monkeypatch.setenv(metric_files.VARIABLE, "")
    (tmp_path / "hakken-metrics-left").mkdir()
    (tmp_path / "others").mkdir()
    places = {tmp_path / "others"}
    for _ in range(2):
        metric_files.make_directory()
        places.add(Path(os.environ[metric_files.VARIABLE]))
    assert set(tmp_path.iterdir()) == places
    assert len(places) == 3


@pytest.mark.parametrize("token", ["a-token-of-these-tests", ""])
def test_workers_count_in_memory_where_there_is_no_room_or_no_token(token: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ExitStack() as stack:
        if token:  # no file may be larger than a megabyte
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
            stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        given = {"HAKKEN_METRICS_TOKEN": token, "HAKKEN_CACHE_DIR": str(tmp_path), "HAKKEN_FACTS_SOURCE": "off"}
        address, process = stack.enter_context(served("ars_app:create_app()", **given))
        wait_for(address)
        metrics = requests.get(f"{address}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
        [worker] = workers_of(process)
        assert "hakken-metrics-" not in Path(f"/proc/{worker}/maps").read_text()
        assert ('hakken_answers_total{route="health.alive",status="200"}' in metrics.text) == bool(token)
        process.terminate()
        assert process.stdout
        assert ("no room for metrics (File too large)" in process.stdout.read()) == bool(token)


def test_a_worker_for_whose_files_there_is_no_room_counts_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prometheus_client.values.ValueClass
    monkeypatch.setenv(metric_files.VARIABLE, str(tmp_path))
    monkeypatch.setattr(metric_files, "FILE_BYTES", 2**20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            metric_files.use_slot(0)
        assert prometheus_client.values.ValueClass is prometheus_client.values.MutexValue
        assert metric_files.directory() is None
        assert not list(tmp_path.glob("*.db"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        prometheus_client.values.ValueClass = before


@pytest.mark.parametrize(
    "slow", ["--worker-class tests.worker_probe.SlowToStart", "--logger-class tests.worker_probe.SlowToTell"]
)
def test_a_worker_that_is_told_to_stop_before_it_hears_signals_stops_all_the_same(slow: str) -> None:
    with served(SLOW, GUNICORN_CMD_ARGS=slow) as (_, process):
        until(lambda: len(workers_of(process)) == 1)
        process.terminate()
        assert process.wait(5) == 0  # it would be 40 s


def stays(address: str) -> socket.socket:
    """A visitor who says nonsense, and neither reads what he is told nor leaves."""
    visitor = socket.create_connection(("127.0.0.1", port_of(address)), timeout=PATIENCE)
    visitor.sendall(b"nonsense\r\n\r\n")
    return visitor


def test_visitors_who_never_leave_keep_nobody_waiting() -> None:
    with served(SLOW) as (address, _), ExitStack() as visitors:
        wait_for(address)
        for _ in range(20):
            visitors.enter_context(stays(address))
        begun = time.monotonic()
        assert ask(address, 0.0) == 200
        assert time.monotonic() - begun < 3  # gunicorn's own worker takes 40 s, and is killed before
