"""The short form of the load suite, and what its figures are made with."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.load import artefacts
from benchmarks.load.asking import all_kinds, as_json, as_page, sample_list
from benchmarks.load.client import REFUSED, UNANSWERED, Answer, Answers, Load, Plan, Request, send
from benchmarks.load.hello import create_hello
from benchmarks.load.rates import NoTool, top_rate
from benchmarks.load.serving import Server, grown, serving
from benchmarks.load.swaps import MARKS, Publication, served, swap
from benchmarks.operations import Figure, put, section
from hakken.ratings import UserList
from tests.serving import free_port, private_bytes, workers_of

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def answering(*answers: tuple[float, bytes]) -> Iterator[str]:
    """A server of one thread that gives these answers, each after so many seconds, and the last again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            number = 0
            while not over.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(10_000)
                    wait, content = answers[min(number, len(answers) - 1)]
                    time.sleep(wait)
                    connection.sendall(content)
                number += 1

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def test_what_was_due_while_a_server_stalled_counts_as_late() -> None:
    with answering((0.5, GOOD), (0.0, GOOD)) as address:
        answers = send(address, [Request("/")], Plan(rate=20.0, seconds=1.0, threads=1))
    assert len(answers) == 20
    assert all(one.late > 0.5 - one.due for one in answers)
    assert sum(one.late > 0.2 for one in answers) >= 6


def test_requests_are_sent_by_the_clock() -> None:
    with answering((0.0, GOOD)) as address:
        answers = Answers(send(address, [Request("/")], Plan(rate=40.0, seconds=0.5)))
    assert sorted(one.due for one in answers) == pytest.approx([number / 40 for number in range(20)])
    assert answers.statuses == {200: 20}


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"nonsense\r\n\r\n"])
def test_a_connection_that_gives_no_whole_answer_is_unanswered(cut: bytes) -> None:
    with answering((0.0, cut)) as address:
        [answer] = send(address, [Request("/")], Plan(rate=1.0, seconds=0.5))
    assert answer.status == UNANSWERED


def test_where_nobody_listens_it_is_refused() -> None:
    [answer] = send(f"http://127.0.0.1:{free_port()}", [Request("/")], Plan(rate=1.0, seconds=0.5))
    assert answer.status == REFUSED


def test_quantiles_are_of_all_requests() -> None:
    answers = Answers(Answer(0.0, float(number), 200, "") for number in range(1, 101))
    assert (answers.late(0.99), answers.late(0.5), answers.late(1.0)) == (99.0, 50.0, 100.0)


def test_growth_is_told_from_what_comes_after_the_warming_up() -> None:
    level = [50, 80, *[100] * 48]
    assert grown(level) == 0
    assert grown([*level[:-10], *[110] * 10]) == pytest.approx(0.1)


def test_a_publication_counts_when_all_workers_came_to_serve_it() -> None:
    published = [Publication(MARKS[number % 2], 2.0 * number) for number in range(4)]

    def said(mark: str, due: float) -> Answer:
        return Answer(due, 0.01, 200, "", f"{mark}{artefacts.SIGN}".encode())

    def answers(slow: Callable[[int], bool]) -> Answers:
        """Of two workers, which take turns; whether the second one has a publication."""
        dues = [number / 10 for number in range(1, 80)]
        return Answers(
            said(MARKS[(int(due // 2) - (index % 2 and slow(int(due // 2)))) % 2], due)
            for index, due in enumerate(dues)
        )

    assert served(published, answers(lambda _: False)) == 3
    assert served(published, answers(lambda number: number == 1)) == 2
    assert served(published, answers(lambda number: number % 2 == 1)) == 2
    assert served(published, answers(lambda _: True)) == 0
    assert served(published, Answers()) == 0


def test_a_section_takes_the_place_of_its_own_and_no_other(tmp_path: Path) -> None:
    page = tmp_path / "operations.md"
    page.write_text("# Operations\n\nText.\n\n## Seeing\n\nKept.\n")
    for found in ("slow", "fast"):
        put(section("Load", "make load", "Opening.", [Figure("a", found, "fast", reached=found == "fast")]), page)
    text = page.read_text()
    assert text.startswith("# Operations\n\nText.\n\n## Seeing\n\nKept.\n\n## Load\n\nOpening.\n")
    assert text.count("## Load") == 1
    assert "| a | fast | fast |" in text
    assert "slow" not in text


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(GUNICORN_CMD_ARGS="--max-requests 0") as it:
        yield it


@pytest.mark.short_load
def test_everything_is_answered_at_full_rate_and_memory_stays(server: Server) -> None:
    with Load(server.address, all_kinds(sample_list()), Plan(float("inf"), 3.0, threads=8)) as load:
        answers = load.answers()
    assert set(answers.statuses) == {200}
    assert len(answers) > 40
    assert max(map(private_bytes, workers_of(server.process))) < 110 * 2**20


@pytest.mark.short_load
@pytest.mark.parametrize("request_for", [as_json, as_page])
def test_rates_can_be_taken(server: Server, request_for: Callable[[UserList], Request]) -> None:
    try:
        assert top_rate(server, request_for(sample_list()), 1) > 0
    except NoTool as error:
        (pytest.fail if os.environ.get("REQUIRE_TOOLS") else pytest.skip)(f"{error} NOT MEASURED")


@pytest.mark.short_load
def test_what_the_app_is_held_against_answers_the_same_request() -> None:
    client = create_hello().test_client()
    request = as_json(sample_list())
    assert client.post(request.path, data=request.body).text == "Hello, world!\n"


@pytest.mark.short_load
def test_versions_are_swapped_under_load() -> None:
    done = swap(seconds=20.0, every=1.0, rate=8.0)
    assert set(done.answers.statuses) == {200}
    assert done.published >= 1
    assert done.served >= max(1, done.published - 1)  # a busy machine may be late once
    assert done.mixed == 0
