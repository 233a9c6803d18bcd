"""When other sites, or the clock, can't be relied on."""

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.chaos.judging import DELIBERATE, NotHere, judged, load, serves, until, usual
from benchmarks.load.client import Load, Plan, Request
from benchmarks.load.serving import serving
from benchmarks.operations import Figure
from tests.serving import PATIENCE
from tests.standin.__main__ import environment
from tests.standin.faults import SLOW, Faults
from tests.standin.server import Standin
from tests.standin.sites import ALL

DAY = 86_400
QUICK = [fault for fault in Faults if fault.name not in SLOW]
NOT_FOUND = 404


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
    asked = [Request(f"/recommendations?username=visitor-{number}") for number in range(20)]
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
        allowed = {NOT_FOUND, 403, *DELIBERATE}
        return judged("sites flap between 22 faults", answers, recovered=recovered, allowed=allowed)


def _found(address: str) -> bool:
    return requests.get(f"{address}/recommendations", {"username": "visitor-99"}, timeout=PATIENCE).ok


def clock(seconds: float) -> Figure:
    """Let the clock jump a day ahead, and two days back (libfaketime)."""
    if shutil.which("faketime") is None:
        raise NotHere("faketime is not installed.")
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    with tempfile.TemporaryDirectory(prefix="hakken-clock-") as name:
        rule = Path(name) / "rule"
        rule.write_text("+0\n")
        faked = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(rule),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with serving(**faked) as server, load(server.address, seconds) as going:
            for offset in (DAY, -DAY, 0):
                time.sleep(seconds / 4)
                rule.write_text(f"{offset:+d}\n")
            answers = going.answers()
            recovered = serves(server.address)
            deaths = server.log.read_text().count("TIMEOUT")
        return judged(
            "the clock jumps a day ahead, two days back, and to now",
            answers,
            recovered=recovered and not deaths,
            allowed=(),
        )
