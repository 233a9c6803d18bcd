"""The short form of the chaos suite: those scenarios that need no more than seconds; `make chaos` runs all of them."""

import io
import logging
import random
from collections import Counter

import pytest

from benchmarks.chaos import clients, models, processes
from benchmarks.chaos.__main__ import SCENARIOS
from benchmarks.chaos.fuzz import malformed
from benchmarks.chaos.judging import judged
from benchmarks.load.client import REFUSED, UNANSWERED, Answer, Answers
from hakken.serving import logs


def of(*statuses: int) -> Answers:
    return Answers(Answer(0.0, 0.1, status, "") for status in statuses)


def test_a_scenario_is_over_well_only_with_what_is_allowed_and_recovery() -> None:
    assert judged("a", of(200, 503, 504), recovered=True).reached
    assert judged("a", of(200, REFUSED), recovered=True, allowed={REFUSED}).reached
    assert not judged("a", of(200, 503), recovered=True, allowed=()).reached
    assert not judged("a", of(200, 500), recovered=True).reached
    assert not judged("a", of(200, UNANSWERED), recovered=True).reached
    assert not judged("a", of(200), recovered=False).reached
    assert not judged("a", of(503, 503), recovered=True).reached


def test_the_fuzzer_says_the_same_for_the_same_seed_and_much_that_is_different() -> None:
    one, again = (list(malformed(random.Random(3), 300)) for _ in range(2))
    assert one == again
    assert max(Counter(one).values()) < 10


def test_every_answer_to_a_malformed_request_is_looked_at() -> None:
    good, bad = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 500 Internal Server Error\r\n\r\n"
    assert clients.statuses_in(b"HTTP/1.1 100 Continue\r\n\r\n" + bad) == [500]
    assert clients.statuses_in(good + bad) == [200, 500]
    assert clients.statuses_in(b"") == clients.statuses_in(b"HTTP/1.1 100 Continue\r\n\r\n") == []


@pytest.mark.parametrize("level", ["warning", "error"])
def test_an_error_in_a_log_of_any_form_is_seen(level: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter("json"))
    log = logging.Logger("a")  # noqa: LOG001  # of its own, so that no other test's settings matter
    log.addHandler(handler)
    log.warning("Nothing much")
    assert clients.errors_in(stream.getvalue()) == 0
    getattr(log, level)("What failed", exc_info=ValueError("a"))
    assert clients.errors_in(stream.getvalue()) == 1
    assert clients.errors_in("Traceback (most recent call last):\n  File ...\nValueError: a\n") == 1


@pytest.mark.short_chaos
def test_sigterm_drops_nobody() -> None:
    figure = processes.terminated(2.0, stops=1)
    assert figure.reached, figure


@pytest.mark.short_chaos
def test_a_damaged_version_in_the_bucket_is_passed_over() -> None:
    figure = models.bucket_damaged(2.0)
    assert figure.reached, figure


@pytest.mark.short_chaos
def test_malformed_requests_do_no_harm() -> None:
    figure = clients.fuzzed(300)
    assert figure.reached, figure


def test_every_scenario_that_is_wanted_is_there() -> None:
    assert len(SCENARIOS) == 18
