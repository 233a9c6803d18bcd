"""What the figures of `make load` and `make chaos` are made with, and a few seconds of both."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops import chaos, create_hello, load
from ops.client import REFUSED, UNANSWERED, Answer, Answers, Load, Request, h2load, usual
from ops.report import Figure, NotHere, put, section
from ops.serving import Server, serving
from tests.serving import free_port

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def answering(answer: bytes, stalls: threading.Event | None = None) -> Iterator[str]:
    """A server of one thread that always gives this answer, the first one once an event has happened."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if not connection.recv(10_000):
                        return
                    if stalls:
                        stalls.wait(10)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def test_requests_are_due_by_the_clock_and_late_from_then_on() -> None:
    stalled = threading.Event()
    with answering(GOOD, stalled) as address, Load(address, [Request("/")], rate=40.0, seconds=0.5) as going:
        while going.passed < 1.0:
            stalled.wait(0.01)
        stalled.set()
        answers = going.answers()
    assert sorted(one.due for one in answers) == pytest.approx([number / 40 for number in range(20)])
    assert all(one.late >= 1.0 - one.due for one in answers)
    assert answers.statuses == {200: 20}


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"nonsense\r\n\r\n"])
def test_a_connection_that_gives_no_whole_answer_is_unanswered_and_none_is_refused(cut: bytes) -> None:
    with answering(cut) as address, Load(address, [Request("/")], rate=1.0, seconds=0.5) as going:
        assert going.answers().statuses == {UNANSWERED: 1}
    with Load(f"http://127.0.0.1:{free_port()}", [Request("/")], rate=1.0, seconds=0.5) as going:
        assert going.answers().statuses == {REFUSED: 1}


def test_a_scenario_is_over_well_only_with_what_is_allowed_and_recovery() -> None:
    def reached(*statuses: int, recovered: bool = True, allowed: tuple[int, ...] = ()) -> bool:
        answers = Answers(Answer(0.0, 0.1, status, b"") for status in statuses)
        return chaos.judged("a", answers, recovered, allowed).reached

    assert reached(200)
    assert reached(200, REFUSED, allowed=(REFUSED,))
    assert not reached(200, 503)
    assert not reached(200, UNANSWERED, allowed=(REFUSED,))
    assert not reached(200, recovered=False)
    assert not reached(503, 503, allowed=(503,))


def test_a_section_takes_the_place_of_its_own_and_no_other(tmp_path: Path) -> None:
    page = tmp_path / "operations.md"
    page.write_text("# Operations\n\nText.\n\n## Seeing\n\nKept.\n")
    for found in ("slow", "fast"):
        put(section("Load", "Opening.", [Figure("a", found, "fast", reached=found == "fast")]), page)
    text = page.read_text()
    assert text.startswith("# Operations\n\nText.\n\n## Seeing\n\nKept.\n\n## Load\n\nOpening.\n\n`make load`, 20")
    assert text.endswith("\n| a | fast | fast |\n")
    assert "slow" not in text


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(HAKKEN_THREADS="16") as it:  # room for all connections, however they are shared out
        yield it


@pytest.mark.short_load
def test_rates_can_be_taken_of_what_is_compared(server: Server) -> None:
    client = create_hello().test_client()
    for request in usual():
        method = "GET" if request.body is None else "POST"
        assert client.open(request.path, method=method, data=request.body).text == "Hello, world!\n"
        try:
            # On a slow machine that runs other tests too, a page takes seconds.
            assert len(h2load(server.address, [request], 10)) > 0
        except NotHere as error:
            (pytest.fail if os.environ.get("REQUIRE_TOOLS") else pytest.skip)(f"{error} NOT MEASURED")


@pytest.mark.short_load
def test_versions_are_swapped_under_load() -> None:
    [figure, _] = load.swaps(seconds=10.0, every=5.0, rate=3.0)
    assert figure.found.startswith("0 of 30 requests failed, 0 answers not of one version")


@pytest.mark.short_chaos
def test_sigterm_drops_nobody() -> None:
    [figure] = chaos.terminated(2.0, stops=1, rate=chaos.RATE / 2)
    assert figure.reached, figure
