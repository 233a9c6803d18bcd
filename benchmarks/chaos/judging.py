"""What a scenario is judged by: what came of the requests that went on all the while, and of those after it."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from http import HTTPStatus

import requests

from benchmarks.load.asking import as_json, as_page, sample_list
from benchmarks.load.client import REFUSED, UNANSWERED, Answers, Load, Plan, Request
from benchmarks.operations import Figure
from tests.serving import PATIENCE

RATE = 20.0
"""Requests a second that go on in a scenario: what is asked for is to be answered, not fast."""
DELIBERATE = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
AFTER = 20
"""Requests that are all to be answered well when a scenario is over."""
NAMES = {REFUSED: "refused", UNANSWERED: "unanswered"}


class NotHere(Exception):
    """The machine lacks what a scenario needs."""


def usual() -> list[Request]:
    """The API and the page, with a list of 300 entries."""
    user_list = sample_list()
    return [as_json(user_list), as_page(user_list)]


def load(address: str, seconds: float, rate: float = RATE, visitor: str = "") -> Load:
    """Requests that go on for so long; as a proxy passes on a visitor's from some address, if one is given."""
    headers = (("X-Forwarded-For", visitor),) if visitor else ()
    return Load(address, [one._replace(headers=headers) for one in usual()], Plan(rate, seconds))


def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(requests.RequestException):
            if holds():
                return True
        time.sleep(0.05)
    return False


def version_at(address: str) -> str | None:
    """The version of the model that one of a server's workers has; None where it is not ready."""
    answer = requests.get(f"{address}/readyz", timeout=PATIENCE)
    found: str | None = answer.json()["model"]["version"] if answer.ok else None
    return found


def serves(address: str, version: str | None = None) -> bool:
    """Whether a server answers everything well and, where a version is given, all its workers come to have that."""

    def has_it() -> bool:
        return all(version in {None, version_at(address)} for _ in range(AFTER))

    def is_well() -> bool:
        return all(requests.get(f"{address}/recommendations?sample=1", timeout=PATIENCE).ok for _ in range(AFTER))

    return until(has_it) and until(is_well)


def judged(
    what: str, answers: Answers, *, recovered: bool, allowed: Collection[int] = DELIBERATE, more: str = ""
) -> Figure:
    """A scenario's figure: there were good answers, and every other was of the statuses that are allowed."""
    statuses = answers.statuses
    said = ", ".join(f"{number:,} × {NAMES.get(status, status)}" for status, number in sorted(statuses.items()))
    bad = {status for status in statuses if status != HTTPStatus.OK and status not in allowed}
    found = f"{said}{'; ' + more if more else ''}; {'recovered' if recovered else 'NOT RECOVERED'}"
    allowance = " or ".join(["200", *(NAMES.get(status, str(int(status))) for status in sorted(allowed))])
    return Figure(what, found, f"{allowance}, recovery", recovered and not bad and statuses[HTTPStatus.OK] > 0)
