"""What two workers of one machine share, under gunicorn and from many visitors at once."""

import multiprocessing
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.integration.test_rate_limit import most_at_once
from tests.serving import private_bytes, served, until, wait_for, workers_of
from tests.standin.faults import held
from tests.standin.server import Standin

VISITORS, NAMES, LIMIT, WORKERS = 200, 20, 3, 2


def environment(standin: Standin, tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "HAKKEN_JIKAN_URL": standin.jikan_url,
        "HAKKEN_ANILIST_URL": standin.anilist_url,
        "HAKKEN_CACHE_DIR": str(tmp_path),
        "HAKKEN_FACTS_SOURCE": "off",
        "HAKKEN_LIST_SOURCES": "jikan",
        "WEB_CONCURRENCY": str(WORKERS),
        "no_proxy": "127.0.0.1",
        **more,
    }


def memory(process: subprocess.Popen[str]) -> int:
    """Bytes that the workers hold for themselves."""
    return sum(map(private_bytes, workers_of(process)))


def visit_all(address: str) -> list[int]:
    """Status that each visitor gets, all of whom come at once; from a process of their own, so as not to keep the
    stand-in, which is in this one, from noticing in time what comes to it.
    """
    with multiprocessing.get_context("spawn").Pool(1) as elsewhere:
        return elsewhere.apply(_visit_all, (address,))


def _visit_all(address: str) -> list[int]:
    together = threading.Barrier(VISITORS)

    def visit(number: int) -> int:
        together.wait()
        query = {"username": f"visitor-{number % NAMES}"}
        return requests.get(f"{address}/recommendations", params=query, timeout=120).status_code

    with ThreadPoolExecutor(VISITORS) as threads:
        return list(threads.map(visit, range(VISITORS)))


def test_two_hundred_visitors_cost_each_worker_twenty_fetches(standin: Standin, tmp_path: Path) -> None:
    standin.fail("jikan", lambda: time.sleep(0.5))
    room = environment(  # for all visitors, on a slow machine too
        standin, tmp_path, HAKKEN_THREADS=str(2 * VISITORS), HAKKEN_DEADLINE="100", HAKKEN_REQUEST_DEADLINE="110"
    )
    with served("ars_app:create_app()", **room) as (address, process):
        wait_for(address)
        first = visit_all(address)
        begun_with = memory(process)
        second = visit_all(address)
        ended_with = memory(process)
        process.terminate()
        said, _ = process.communicate(timeout=20)

    assert Counter(first + second) == {200: 2 * VISITORS}
    asked = Counter(seen.path for seen in standin.requests)
    assert set(asked) == {f"/jikan/v4/users/visitor-{number}/animelist" for number in range(NAMES)}
    assert max(asked.values()) <= WORKERS
    # A request counts when its turn is taken; on a busy machine it arrives up to two seconds later. Four turns' windows
    # of 1.25 s hold 4 s, five hold 6 s; if each worker counted for itself, all first 20 would come within 4 s.
    assert most_at_once([seen.moment for seen in standin.requests], 4.0) <= 5 * LIMIT
    assert "alone" not in said
    # Two hundred threads stay, each with a little; what a visitor leaves behind would be two hundred lists more.
    assert ended_with < 1.2 * begun_with + 16 * 2**20


def test_a_full_house_says_so_at_once_and_goes_on_serving(standin: Standin, tmp_path: Path) -> None:
    answer = threading.Event()
    standin.fail("jikan", held(answer))
    more = {"WEB_CONCURRENCY": "1", "HAKKEN_THREADS": "4", "HAKKEN_SITE_RATES": "facts=1/s"}
    with served("ars_app:create_app()", **environment(standin, tmp_path, **more)) as (address, _):
        wait_for(address)

        def visit(number: int) -> requests.Response:
            return requests.get(f"{address}/recommendations", {"username": f"visitor-{number}"}, timeout=20)

        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(visit, number) for number in range(2)]
            until(lambda: len(standin.requests) == 2)
            refused = visit(2)
            sample = requests.get(f"{address}/recommendations", {"sample": "1"}, timeout=20)
            assert not any(one.done() for one in waiting)
            answer.set()
            assert [one.result().status_code for one in waiting] == [200, 200]

    assert (refused.status_code, sample.status_code) == (503, 200)
    assert int(refused.headers["Retry-After"]) > 0
    for offered in ('type="file"', 'href="/picks'):
        assert offered in refused.text


@pytest.mark.parametrize("option", [["--threads", "3"], []])
def test_the_app_knows_how_many_threads_there_really_are(option: list[str], tmp_path: Path) -> None:
    told = {"GUNICORN_CMD_ARGS": " ".join(option), "HAKKEN_CACHE_DIR": str(tmp_path)}
    with served("tests.worker_probe:create_threads_app()", **told) as (address, _):
        wait_for(address)
        assert requests.get(address, timeout=10).text == ("3" if option else "8")


@pytest.mark.parametrize(
    "line", ["GET /?username=somebody else HTTP/1.1", "GET /?username=somebody", "somebody / HTTP/9"]
)
def test_a_request_that_gunicorn_cannot_make_out_leaves_no_name_in_the_log(line: str, tmp_path: Path) -> None:
    with served("ars_app:create_app()", HAKKEN_CACHE_DIR=str(tmp_path)) as (address, process):
        wait_for(address)
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=5) as client:
            client.sendall(f"{line}\r\nHost: x\r\n\r\n".encode())
            client.recv(1000)
        process.terminate()
        said, _ = process.communicate(timeout=20)

    assert "Invalid request" in said
    assert not re.search("somebody|else|ip=", said)
