"""The short form of the chaos suite: those scenarios that need no more than seconds; `make chaos` runs all of them."""

import random
from collections import Counter

import pytest

from benchmarks.chaos import clients, models, processes
from benchmarks.chaos.__main__ import SCENARIOS
from benchmarks.chaos.fuzz import malformed
from benchmarks.chaos.judging import judged
from benchmarks.load.client import REFUSED, UNANSWERED, Answer, Answers


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
