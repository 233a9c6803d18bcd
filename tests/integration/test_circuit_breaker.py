"""Leaving a site alone that has failed, and trying again what may pass."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import time_machine
from flask import Response

from hakken.config import SiteRate
from hakken.errors import CircuitOpen, InvalidResponse, RateLimited, SiteBusy, SiteDown, SiteError, SiteTimeout
from hakken.sites import adapter
from hakken.sites.adapter import FAILURES
from hakken.sites.client import HttpClient
from hakken.sites.http import MAX_RETRY_AFTER, Deadline, Request, retry_after
from tests.serving import until
from tests.standin.faults import Fault, Faults, held, reply
from tests.standin.server import Standin

REST = 1


@pytest.fixture
def http(standin: Standin) -> HttpClient:
    return HttpClient(10, sites={"jikan": standin.jikan_url})


@pytest.fixture
def hasty(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> HttpClient:
    """Tries again at once, and leaves a site alone for a second."""
    monkeypatch.setattr(adapter, "BACK_OFF_SECONDS", 0.0)
    monkeypatch.setattr(adapter, "REST_SECONDS", REST)
    return HttpClient(10, sites={"jikan": standin.jikan_url})


def get(http: HttpClient, standin: Standin, seconds: float = 10.0) -> int:
    return http.get(Request(f"{standin.jikan_url}/users/empty/animelist"), Deadline.after(seconds)).status


def fails(http: HttpClient, standin: Standin, error: type[SiteError], seconds: float = 10.0) -> SiteError:
    with pytest.raises(error) as caught:
        get(http, standin, seconds)
    assert type(caught.value) is error
    return caught.value


def in_turn(*faults: Fault | None) -> Fault:
    left = iter(faults)

    def fault() -> Response | None:
        chosen = next(left, None)
        return chosen() if chosen else None

    return fault


# The breaker


@pytest.mark.parametrize("fault", [Faults.OUT_OF_ORDER, Faults.RESET, Faults.BUSY])
def test_a_site_that_fails_in_a_row_is_not_asked_by_the_next_visitor(
    hasty: HttpClient, standin: Standin, fault: Faults
) -> None:
    standin.fail("jikan", fault)
    fails(hasty, standin, fault.error)
    resting = fails(hasty, standin, CircuitOpen)
    assert str(resting).startswith("127.0.0.1 has just failed several times, so it is not being asked")
    assert resting.retry_after is not None
    assert len(standin.requests) == FAILURES


def test_time_outs_count_too_and_an_answer_starts_the_count_anew(hasty: HttpClient, standin: Standin) -> None:
    def hang() -> None:
        time.sleep(0.8)

    standin.fail("jikan", in_turn(hang, hang, None, *[hang] * FAILURES))
    for error in (SiteTimeout, SiteTimeout, None, *[SiteTimeout] * FAILURES, CircuitOpen):
        if error:
            fails(hasty, standin, error, seconds=0.6)
        else:
            assert get(hasty, standin) == 200


def test_what_is_not_the_sites_weakness_is_no_reason_to_rest(hasty: HttpClient, standin: Standin) -> None:
    limited = HttpClient(2, sites={"jikan": standin.jikan_url}, rates={"jikan": (SiteRate(1, 60),)})
    assert get(limited, standin) == 200
    for _ in range(2 * FAILURES):
        fails(limited, standin, RateLimited, seconds=2)
    standin.fail("jikan", Faults.SLOW_HEADERS)
    for _ in range(2 * FAILURES):
        fails(hasty, standin, SiteTimeout, seconds=0.1)  # it had no time
    standin.fail("jikan", Faults.REDIRECT)
    for _ in range(2 * FAILURES):
        fails(hasty, standin, InvalidResponse)


def test_after_a_rest_one_at_a_time_tries_it(hasty: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", Faults.OUT_OF_ORDER)
    fails(hasty, standin, SiteDown)
    time.sleep(REST)
    fails(hasty, standin, CircuitOpen)  # of three attempts the first failed, and ended the trial
    fails(hasty, standin, CircuitOpen)
    assert len(standin.requests) == FAILURES + 1
    go = threading.Event()
    standin.fail("jikan", held(go))
    time.sleep(REST)
    with ThreadPoolExecutor(1) as threads:
        trial = threads.submit(get, hasty, standin)
        until(lambda: len(standin.requests) == FAILURES + 2)
        for _ in range(3):
            fails(hasty, standin, CircuitOpen)
        go.set()
        assert trial.result() == 200
    assert get(hasty, standin) == 200  # it answered
    assert len(standin.requests) == FAILURES + 3


# Attempts


@pytest.mark.parametrize(
    "passing", [Faults.OUT_OF_ORDER, Faults.GATEWAY_TIMEOUT, Faults.BUSY, Faults.RESET, Faults.CUT_SHORT]
)
def test_what_may_pass_is_tried_again(hasty: HttpClient, standin: Standin, passing: Faults) -> None:
    standin.fail("jikan", in_turn(passing, passing))

    assert get(hasty, standin) == 200
    assert len(standin.requests) == 3


def test_a_site_that_says_when_is_asked_then(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", in_turn(reply(429, Retry_After="1")))
    begun = time.monotonic()
    assert get(http, standin) == 200
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("1e9", None),
        ("99999", MAX_RETRY_AFTER),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 10.0),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("soon", None),
        ("-1", None),
        ("9" * 5000, None),
        (None, None),
    ],
)
def test_when_a_site_may_be_asked_again(said: str | None, seconds: float | None) -> None:
    response = requests.Response()
    response.headers.update({"Retry-After": said} if said else {})

    with time_machine.travel(0, tick=False):
        assert retry_after(response) == seconds


def test_nobody_waits_for_what_comes_after_the_deadline(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", Faults.BUSY_FOR_AN_HOUR)
    for _ in range(2):  # the second is not even asked
        assert fails(http, standin, SiteBusy, seconds=600).retry_after == pytest.approx(3600, abs=9)
    assert len(standin.requests) == 1


def test_attempts_end_with_the_deadline(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", Faults.OUT_OF_ORDER)
    fails(http, standin, SiteDown, seconds=0.6)
    assert len(standin.requests) in {1, 2}


def test_sites_rest_apart(standin: Standin) -> None:
    http = HttpClient(10, sites={"jikan": standin.jikan_url, "mal": standin.mal_url})
    standin.fail("jikan", Faults.OUT_OF_ORDER)
    fails(http, standin, SiteDown)
    assert http.get(Request(f"{standin.mal_url}/users/empty/animelist"), http.new_deadline()).status == 401


def test_pauses_change_nobody_elses_random_numbers(http: HttpClient, standin: Standin) -> None:
    standin.fail("jikan", in_turn(Faults.OUT_OF_ORDER))
    before = random.getstate()

    get(http, standin)

    assert random.getstate() == before
