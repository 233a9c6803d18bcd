"""What the load suite measures, and what it wants of each figure."""

import http.client
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import requests

from benchmarks.load import artefacts, profile
from benchmarks.load.asking import all_kinds, as_json, as_page, sample_list
from benchmarks.load.client import Answers, Load, Plan, Request, send
from benchmarks.load.rates import top_rate
from benchmarks.load.serving import APP, HELLO, STOPPING, UNHURRIED, WORKERS, Server, grown, serving
from benchmarks.load.swaps import swap
from benchmarks.operations import Figure
from tests.serving import PATIENCE, private_bytes, started, workers_of

MB = 2**20
OK = 200
JSON_RATE, RATIO, LATE_MS, PAGE_RATIO, START_S, UNIQUE_MB, GROWTH = 250.0, 0.15, 100.0, 0.5, 1.5, 120.0, 0.02
NEAR_TOP = 0.8
SERVED = 0.8
"""The part of all publications of which every worker is to serve the version before the next comes."""
STARTS = 5


class Scale(NamedTuple):
    """How long each part may take.

    Attributes:
        rounds: how often rates are taken.
        rate: seconds of each rate.
        paced: seconds at a fixed rate.
        swaps: seconds in which versions are swapped.
        soak: seconds at full rate.
    """

    rounds: int
    rate: int
    paced: float
    swaps: float
    soak: float


FULL = Scale(rounds=8, rate=4, paced=20.0, swaps=60.0, soak=180.0)


def rates(scale: Scale) -> Iterator[Figure]:
    """Measure rates beside hello-world's, all in one run, and how late answers are near the top."""
    user_list = sample_list()
    body, page = as_json(user_list), as_page(user_list)
    with serving(HELLO) as hello, serving() as app:
        found = [
            (top_rate(hello, body, scale.rate), top_rate(app, body, scale.rate), top_rate(app, page, scale.rate))
            for _ in range(scale.rounds)
        ]
        hello_rate, json_rate, page_rate = (statistics.mean(one) for one in zip(*found, strict=True))
        yield Figure("hello-world route", _of(found, 0))
        yield Figure("JSON, 20 of 300 entries", _of(found, 1), f"{JSON_RATE:.0f}", json_rate >= JSON_RATE)
        ratio = json_rate / hello_rate
        yield Figure("JSON beside hello-world", f"{ratio:.3f}", f"{RATIO}", ratio >= RATIO)
        yield Figure("results page", _of(found, 2))
        ratio = page_rate / json_rate
        yield Figure("results page beside JSON", f"{ratio:.2f}", f"{PAGE_RATIO}", ratio >= PAGE_RATIO)
        for reused in (True, False):
            yield _near_top(app, body, Plan(NEAR_TOP * json_rate, scale.paced, reused=reused))


def _of(found: list[tuple[float, float, float]], which: int) -> str:
    taken = [one[which] for one in found]
    return f"{statistics.mean(taken):.0f} requests/s ({', '.join(f'{one:.0f}' for one in taken)})"


def _near_top(app: Server, body: Request, plan: Plan) -> Figure:
    with Load(app.address, [body], plan) as load:
        answers = load.answers()
    late = 1000 * answers.late(0.99)
    failed = len(answers) - answers.statuses[OK]
    connections = "kept connections" if plan.reused else "a connection a request"
    what = f"99th percentile at {plan.rate:.0f} requests/s (80 % of the top rate), {connections}"
    found = f"{late:.0f} ms; median {1000 * answers.late(0.5):.0f} ms, {failed} of {len(answers)} failed"
    return Figure(what, found, f"{LATE_MS:.0f} ms" if plan.reused else "", failed == 0 and late < LATE_MS)


def profiles() -> Iterator[Figure]:
    """Say where a request's time goes."""
    user_list = sample_list()
    for name, request in (("JSON", as_json(user_list)), ("results page", as_page(user_list))):
        shares = sorted(profile.shares(request).items(), key=lambda one: -one[1])
        yield Figure(f"{name}: where the time goes", ", ".join(f"{stage} {share:.0%}" for stage, share in shares))


def starts() -> Iterator[Figure]:
    """Measure from the start of gunicorn to the first page that it answers."""
    taken = [_start() for _ in range(STARTS)]
    middle = statistics.median(taken)
    found = f"{middle:.2f} s ({', '.join(f'{one:.2f}' for one in taken)})"
    yield Figure("start to the first 200 of /readyz", found, f"{START_S} s", middle < START_S)


def _start() -> float:
    with tempfile.TemporaryFile("w") as log:
        begun = time.monotonic()
        address, process = started(APP, UNHURRIED | {"WEB_CONCURRENCY": str(WORKERS)}, log)
        port = int(address.rpartition(":")[2])
        try:
            while not _ready(port):
                if time.monotonic() > begun + PATIENCE:
                    raise SystemExit("The server does not start.")
                time.sleep(0.005)
            return time.monotonic() - begun
        finally:
            process.terminate()
            process.wait(STOPPING)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def memory() -> Iterator[Figure]:
    """Measure what a worker holds for itself with a large model, after every kind of request."""
    with tempfile.TemporaryDirectory(prefix="hakken-large-") as place:
        artefacts.large(Path(place) / "model")
        with serving(HAKKEN_MODEL=f"{place}/model") as server:
            send(server.address, all_kinds(sample_list()), Plan(float("inf"), 8.0, threads=16))
            each = [private_bytes(worker) / MB for worker in workers_of(server.process)]
            master = private_bytes(server.process.pid) / MB
            served = requests.get(f"{server.address}/readyz", timeout=PATIENCE).status_code == OK
    most = max(each)
    found = f"{', '.join(f'{one:.0f}' for one in each)} MB; {master:.0f} MB more for the process that starts them"
    what = "unique memory of each worker, model of 14,000 × 200"
    yield Figure(what, found, f"{UNIQUE_MB:.0f} MB", served and most < UNIQUE_MB)


def swaps(scale: Scale) -> Iterator[Figure]:
    """Swap versions under load."""
    done = swap(scale.swaps, every=2.0)
    failed = len(done.answers) - done.answers.statuses[OK]
    found = f"{failed} of {len(done.answers)} requests failed, {done.mixed} answers not of one version"
    found += f"; {done.served} of {done.published} publications were served before the next"
    good = failed == done.mixed == 0 and done.served >= SERVED * done.published > 0
    yield Figure(f"a new version every 2 s for {scale.swaps:.0f} s", found, f"0, 0, {SERVED:.0%}", good)
    late = f"99th percentile {1000 * done.answers.late(0.99):.0f} ms"
    yield Figure("meanwhile", f"memory {done.growth:+.1%}, {late}", f"memory {GROWTH:+.0%}", done.growth < GROWTH)


def soak(scale: Scale) -> Iterator[Figure]:
    """Ask for everything at full rate, and see what memory does."""
    with serving(GUNICORN_CMD_ARGS="--max-requests 0") as server:
        plan = Plan(float("inf"), scale.soak, threads=16)
        with Load(server.address, all_kinds(sample_list()), plan) as load:
            sizes = []
            while not load.over:
                time.sleep(scale.soak / 60)
                sizes.append(server.memory)
            answers = load.answers()
    growth = grown(sizes)
    found = f"{growth:+.1%}, to {sizes[-2] / MB / WORKERS:.0f} MB a worker; {_said(answers)}"
    good = growth < GROWTH and set(answers.statuses) == {OK}
    yield Figure(f"memory of the workers over {scale.soak:.0f} s at full rate", found, f"{GROWTH:+.0%}", good)


def _said(answers: Answers) -> str:
    return f"{len(answers):,} requests, {answers.rate:.0f}/s, " + ", ".join(
        f"{number:,} × {status}" for status, number in sorted(answers.statuses.items())
    )
