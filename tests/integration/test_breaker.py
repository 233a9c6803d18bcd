"""Leaving a site alone that has failed, and trying again what may pass."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Response

from hakken.config import SiteRate
from hakken.errors import OutOfTurns, SiteBusy, SiteDown, SiteError, SiteNonsense, SiteResting, SiteTimeout
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline
from hakken.http.breaker import FAILURES, Breaker
from tests.standin.faults import Fault, Faults, reply
from tests.standin.server import Standin

REST = 1.0


def fail(breaker: Breaker, error: SiteError, seconds: float = 10.0) -> None:
    with pytest.raises(type(error)), breaker.guard("site.example", Deadline.after(seconds)):
        raise error


def ask(breaker: Breaker) -> None:
    with breaker.guard("site.example", Deadline.after(10)):
        pass


@pytest.fixture
def resting() -> Breaker:
    breaker = Breaker(REST)
    for _ in range(FAILURES):
        fail(breaker, SiteDown("down."))
    return breaker


@pytest.mark.parametrize("error", [SiteDown("."), SiteTimeout("."), SiteBusy(".")])
def test_a_site_that_fails_in_a_row_is_left_alone(error: SiteError) -> None:
    breaker = Breaker(REST)
    for _ in range(FAILURES):
        fail(breaker, error)

    with pytest.raises(SiteResting, match=r"^site\.example .* left alone") as caught:
        ask(breaker)
    assert caught.value.retry_after is not None


def test_between_failures_an_answer_starts_the_count_anew() -> None:
    breaker = Breaker(REST)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            fail(breaker, SiteDown("."))
        ask(breaker)


@pytest.mark.parametrize("error", [SiteNonsense("."), OutOfTurns(".", 5.0)])
def test_what_is_not_the_sites_weakness_is_no_reason_to_rest(error: SiteError) -> None:
    breaker = Breaker(REST)
    for _ in range(2 * FAILURES):
        fail(breaker, error)


def test_a_turn_that_did_not_come_tells_nothing_of_the_site(resting: Breaker) -> None:
    breaker = Breaker(REST)
    for _ in range(FAILURES - 1):
        fail(breaker, SiteTimeout("."))
        fail(breaker, OutOfTurns(".", 5.0))
    fail(breaker, SiteTimeout("."))
    with pytest.raises(SiteResting):
        ask(breaker)
    # Nor does it end a rest.
    time.sleep(REST)
    fail(resting, OutOfTurns(".", 5.0))
    fail(resting, SiteDown("."))
    with pytest.raises(SiteResting):
        ask(resting)


def test_the_time_that_was_waited_for_a_turn_was_not_the_sites() -> None:
    breaker = Breaker(REST)

    def wait_for_a_turn_and_fail() -> None:
        with breaker.guard("site.example", Deadline.after(0.7)) as asked:
            time.sleep(0.3)  # in the queue
            asked.now()
            raise SiteTimeout(".")

    for _ in range(2 * FAILURES):
        with pytest.raises(SiteTimeout):
            wait_for_a_turn_and_fail()


def test_a_site_that_had_no_time_has_not_failed() -> None:
    breaker = Breaker(REST)
    for _ in range(2 * FAILURES):
        fail(breaker, SiteTimeout("."), seconds=0.1)


def test_it_is_tried_again_by_one_at_a_time(resting: Breaker) -> None:
    time.sleep(REST)
    together = threading.Barrier(4)
    tried = []

    def visit(number: int) -> type[Exception] | None:
        together.wait()
        try:
            with resting.guard("site.example", Deadline.after(10)):
                tried.append(number)
                time.sleep(0.2)
        except SiteResting:
            return SiteResting
        return None

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(visit, range(4)))

    assert len(tried) == 1
    assert outcomes.count(SiteResting) == 3
    ask(resting)  # it answered


def test_one_more_failure_and_it_rests_again(resting: Breaker) -> None:
    time.sleep(REST)
    fail(resting, SiteDown("."))

    with pytest.raises(SiteResting):
        ask(resting)


def test_who_asks_to_be_left_alone_is() -> None:
    breaker = Breaker(REST)
    fail(breaker, SiteBusy(".", retry_after=REST))

    with pytest.raises(SiteBusy) as caught:
        ask(breaker)
    assert caught.value.retry_after == pytest.approx(REST, abs=0.1)

    time.sleep(REST)
    ask(breaker)


# In the client


@pytest.fixture
def http(standin: Standin) -> HttpClient:
    return HttpClient(10, sites={"jikan": standin.jikan_url})


def get(http: HttpClient, standin: Standin, deadline: Deadline | None = None) -> int:
    url = f"{standin.jikan_url}/users/empty/animelist"
    return http.get(url, deadline or http.new_deadline()).status


def in_turn(*faults: Fault) -> Fault:
    left = iter(faults)

    def fault() -> Response | None:
        chosen = next(left, None)
        return chosen() if chosen else None

    return fault


@pytest.mark.parametrize(
    "passing", [Faults.OUT_OF_ORDER, Faults.GATEWAY_TIMEOUT, Faults.BUSY, Faults.RESET, Faults.CUT_SHORT]
)
def test_what_may_pass_is_tried_again(http: HttpClient, standin: Standin, passing: Faults) -> None:
    standin.fail("jikan", in_turn(passing, passing))

    assert get(http, standin) == 200
    assert len(standin.requests) == 3


@pytest.mark.parametrize("lasting", [Faults.HTML, Faults.FORBIDDEN_HTML, Faults.NOT_FOUND_HTML, Faults.REDIRECT])
def test_what_will_not_pass_is_not(http: HttpClient, standin: Standin, lasting: Faults) -> None:
    standin.fail("jikan", lasting)
    try:
        get(http, standin)
    except SiteNonsense:
        assert lasting is Faults.REDIRECT

    assert len(standin.requests) == 1


def test_three_attempts_are_all(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", Faults.OUT_OF_ORDER)

    with pytest.raises(SiteDown):
        get(http, standin)

    assert len(standin.requests) == 3


def test_a_dead_site_costs_the_next_visitor_milliseconds(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", Faults.OUT_OF_ORDER)
    with pytest.raises(SiteDown):
        get(http, standin)
    begun = time.monotonic()

    with pytest.raises(SiteResting):
        get(http, standin)

    assert time.monotonic() - begun < 0.1
    assert len(standin.requests) == 3


def test_a_site_that_says_when_is_asked_then(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", in_turn(reply(429, Retry_After="1")))
    begun = time.monotonic()

    assert get(http, standin) == 200
    assert 1 <= time.monotonic() - begun < 2


def test_a_date_says_when_too(http: HttpClient, standin: Standin) -> None:
    moment = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
    standin.fail("jikan", in_turn(reply(429, Retry_After=moment)))
    begun = time.monotonic()

    assert get(http, standin) == 200
    assert 0.9 <= time.monotonic() - begun < 3.5


def test_nobody_waits_for_what_comes_after_the_deadline(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", Faults.BUSY_FOR_AN_HOUR)
    begun = time.monotonic()

    for _ in range(2):  # the second is not even asked
        with pytest.raises(SiteBusy) as caught:
            get(http, standin)
        assert caught.value.retry_after == pytest.approx(3600, abs=2)

    assert time.monotonic() - begun < 0.5
    assert len(standin.requests) == 1


@pytest.mark.parametrize("when", ["soon", "-1", "1e9", "9" * 5000, "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_a_when_that_is_none_counts_as_not_said(http: HttpClient, standin: Standin, when: str) -> None:
    standin.fail("jikan", in_turn(reply(429, Retry_After=when)))

    assert get(http, standin) == 200


def test_attempts_end_with_the_deadline(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", Faults.OUT_OF_ORDER)
    begun = time.monotonic()

    with pytest.raises(SiteDown):
        get(http, standin, Deadline.after(0.6))

    assert time.monotonic() - begun < 0.7
    assert len(standin.requests) in {1, 2}


def test_a_busy_queue_is_not_taken_for_a_dead_site(standin: Standin) -> None:
    """A turn comes every second, and to each visitor when 0.2 s of 0.9 are left; the site always answers in 0.8 s."""
    pace = Pace({"jikan": [SiteRate(1, 0.75)]})
    http = HttpClient(0.9, sites={"jikan": standin.jikan_url}, pace=pace)
    assert get(http, standin) == 200
    standin.fail("jikan", lambda: time.sleep(0.8))
    time.sleep(0.3)

    for _ in range(FAILURES + 1):
        with pytest.raises(SiteTimeout):
            get(http, standin)
        time.sleep(0.1)

    assert len(standin.requests) == FAILURES + 2


def test_sites_rest_apart(standin: Standin) -> None:
    http = HttpClient(10, sites={"jikan": standin.jikan_url, "mal": standin.mal_url})
    standin.fail("jikan", Faults.OUT_OF_ORDER)
    with pytest.raises(SiteDown):
        get(http, standin)

    assert http.get(f"{standin.mal_url}/users/empty/animelist", http.new_deadline()).status == 401


def test_pauses_change_nobody_elses_random_numbers(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", in_turn(Faults.OUT_OF_ORDER))
    before = random.getstate()

    get(http, standin)

    assert random.getstate() == before
