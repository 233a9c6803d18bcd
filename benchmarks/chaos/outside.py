"""When other sites, or the clock, can't be relied on."""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.chaos.clock import RULE
from benchmarks.chaos.judging import DELIBERATE, judged, load, serves, until, usual
from benchmarks.load.client import Load, Plan, Request
from benchmarks.load.serving import serving
from benchmarks.operations import Figure
from tests.serving import PATIENCE
from tests.standin.__main__ import environment
from tests.standin.faults import SLOW, Faults
from tests.standin.server import Standin
from tests.standin.sites import ALL

DAY = 86_400
JUMPS = (DAY, -DAY, 0)
"""Seconds that the clock is off by, one after another."""
JUMPING = "benchmarks.chaos.clock:create_jumping_app()"
QUICK = [fault for fault in Faults if fault.name not in {*SLOW, "BUSY_FOR_AN_HOUR"}]
"""Those that are over within a second, and after which a site may be asked again soon."""
NOT_FOUND, PRIVATE = 404, 403
VISITOR = "203.0.113.7"
"""A client's address: what comes from the machine itself is not counted."""
ALLOWED = 100
"""What a client may draw from each worker in a second: three times what the load draws from both in one, and less than
half of what it draws from both once the clock was set back, should a second never be over from then on."""


@contextmanager
def _standin() -> Iterator[Standin]:
    it = Standin()
    it.start()
    it.begin()
    try:
        yield it
    finally:
        it.end()
        it.stop()


def flapping(seconds: float) -> Figure:
    """Let every site fail in another way every half second, while half of the visitors ask for lists from them."""
    rng = random.Random(7)
    asked = [Request(f"/recommendations?username=visitor-{number}") for number in range(10)]
    with _standin() as it, serving(**environment(it, deadline=5.0)) as server:
        plan = Plan(10.0, seconds)
        with Load(server.address, [one for name in asked for one in (name, *usual()[:1])], plan) as going:
            while not going.over:
                for site in ALL:
                    it.fail(site.name, rng.choice(QUICK)) if rng.random() < 2 / 3 else it.mend(site.name)
                time.sleep(0.5)
            answers = going.answers()
        for site in ALL:
            it.mend(site.name)
        recovered = serves(server.address) and until(lambda: _found(server.address), 90.0)
        allowed = {PRIVATE, NOT_FOUND, *DELIBERATE}
        return judged(f"sites flap between {len(QUICK)} faults", answers, recovered=recovered, allowed=allowed)


def _found(address: str) -> bool:
    return requests.get(f"{address}/recommendations", {"username": "visitor-15"}, timeout=PATIENCE).ok


def clock(seconds: float) -> Figure:
    """Let the workers' clock jump a day ahead, and two days back, and one client be counted all the while."""
    dates = set()
    with tempfile.TemporaryDirectory(prefix="hakken-clock-") as name:
        rule = Path(name) / "rule"
        rule.write_text("0")
        limited = {RULE: str(rule), "HAKKEN_RATE_LIMIT": f"{ALLOWED}/second", "HAKKEN_PROXIES": "1"}
        with serving(JUMPING, **limited) as server, load(server.address, seconds, visitor=VISITOR) as going:
            for offset in JUMPS:
                time.sleep(seconds / 8)
                rule.write_text(str(offset))
                time.sleep(seconds / 16)
                dates.add(requests.get(f"{server.address}/clock", timeout=PATIENCE).text)
            answers = going.answers()
            recovered = serves(server.address)
    what = "the clock jumps a day ahead, two days back, and to now"
    more = f"{len(dates)} dates were seen"
    return judged(what, answers, recovered=recovered and len(dates) == len(JUMPS), allowed=(), more=more)
