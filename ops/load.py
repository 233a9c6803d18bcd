"""What the served app bears: rates beside a hello-world route, start, memory, live swaps."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import cycle
from pathlib import Path

import requests

from ops import models
from ops.client import Load, Request, ask, h2load, pages, usual
from ops.report import Figure
from ops.serving import APP, HELLO, STOPPING, UNHURRIED, serving
from tests.serving import PATIENCE, private_bytes, started

MB = 2**20
NEAR_TOP, SERVED, GROWTH = 0.8, 0.8, 0.02
STARTS = 5
MARKS = ("one", "two")
OPENING = """\
Two workers on two cores, the client on the same machine, and the embedded model unless said otherwise. Rates are from
h2load with 16 kept connections that send the next request as soon as the last is answered: means of alternating rounds.
A hello-world route has two rates, depending on how the kernel distributes connections among the workers: one core of
Python, or both. The 99th percentile near the top rate is h2load's, counted from sending; while versions are swapped it
is counted from the moment at which a request was due, so it includes time in queues."""


def rates(rounds: int = 8, seconds: int = 4) -> Iterator[Figure]:
    """Measure rates beside hello-world's, all in one run, and how late answers are near the top."""
    body, page = usual()
    with serving(HELLO) as hello, serving() as app:
        asked = ((hello, body), (app, body), (app, page))
        found = [[len(h2load(one.address, [what], seconds)) / seconds for one, what in asked] for _ in range(rounds)]
        hellos, jsons, rendered = zip(*found, strict=True)
        top = statistics.mean(jsons)
        yield Figure("hello-world route", _said(hellos))
        yield Figure("JSON, 20 of 300 entries", _said(jsons), "250", top >= 250)  # noqa: PLR2004  # as it says
        yield _ratio("JSON beside hello-world", jsons, hellos, 0.15)
        yield Figure("results page", _said(rendered))
        yield _ratio("results page beside JSON", rendered, jsons, 0.5)
        took = h2load(app.address, [body], 5 * seconds, NEAR_TOP * top)
    late = statistics.quantiles(took, n=100)[-1]
    what = f"99th percentile at {NEAR_TOP * top:.0f} requests/s (80 % of the top rate)"
    middle = f"{late:.0f} ms; median {statistics.median(took):.0f} ms, none of {len(took)} failed"
    yield Figure(what, middle, "100 ms", late < 100)  # noqa: PLR2004  # as it says


def _said(taken: Sequence[float]) -> str:
    return f"{statistics.mean(taken):.0f} requests/s ({', '.join(f'{one:.0f}' for one in taken)})"


def _ratio(what: str, one: Sequence[float], other: Sequence[float], wanted: float) -> Figure:
    ratio = sum(one) / sum(other)
    return Figure(what, f"{ratio:.3f}", f"{wanted}", ratio >= wanted)


def starts(most: float = 1.5) -> Iterator[Figure]:
    """Measure from the start of gunicorn to the first page that it answers."""
    taken = []
    for _ in range(STARTS):
        begun = time.monotonic()
        address, process = started(APP, UNHURRIED, subprocess.DEVNULL)
        try:
            while ask(address, Request("/readyz"))[0] != HTTPStatus.OK:
                if time.monotonic() > begun + PATIENCE:
                    raise SystemExit("The server does not start.")
                time.sleep(0.005)
            taken.append(time.monotonic() - begun)
        finally:
            process.terminate()
            process.wait(STOPPING)
    middle = statistics.median(taken)
    found = f"{middle:.2f} s ({', '.join(f'{one:.2f}' for one in taken)})"
    yield Figure("start to the first 200 of /readyz", found, f"{most} s", middle < most)


def memory(most: float = 120.0) -> Iterator[Figure]:
    """Measure what a worker holds for itself with a large model, after every kind of request."""
    with tempfile.TemporaryDirectory(prefix="hakken-large-") as place:
        models.large(Path(place) / "model")
        with serving(HAKKEN_MODEL=f"{place}/model") as server:
            for asked in ([usual()[0]], pages()):
                h2load(server.address, asked, 4)
            each = [private_bytes(worker) / MB for worker in server.workers]
            master = private_bytes(server.process.pid) / MB
    found = f"{', '.join(f'{one:.0f}' for one in each)} MB; {master:.0f} MB more for the process that starts them"
    yield Figure("unique memory of each worker, model of 14,000 × 200", found, f"{most:.0f} MB", max(each) < most)


def swaps(seconds: float = 60.0, every: float = 2.0, rate: float = 20.0) -> Iterator[Figure]:
    """Publish a version `every` so many seconds, under load: every answer must be of one version alone."""
    with tempfile.TemporaryDirectory(prefix="hakken-swaps-") as name:
        place = Path(name)
        versions = [models.marked(place / mark, mark) for mark in MARKS]
        target = place / "published"
        models.publish(versions[0], target)
        told = {"HAKKEN_MODEL": target.as_uri(), "HAKKEN_MODEL_POLL": "0.5"}
        with serving(**told) as server, Load(server.address, usual(), rate, seconds) as load:
            served, sizes = list[bool](), list[int]()
            for artefact in cycle(reversed(versions)):
                due = time.monotonic() + every
                if load.passed + every > seconds:
                    break
                models.publish(artefact, target)
                while not (is_served := all_serve(server.address, artefact.version)) and time.monotonic() < due:
                    time.sleep(0.1)
                served.append(is_served)
                sizes.append(sum(map(private_bytes, server.workers)))
                time.sleep(max(0.0, due - time.monotonic()))
            answers = load.answers()
    good = [one for one in answers if one.status == HTTPStatus.OK]
    failed = len(answers) - len(good)
    mixed = sum(sum(f"{mark}{models.SIGN}".encode() in one.body for mark in MARKS) != 1 for one in good)
    found = f"{failed} of {len(answers)} requests failed, {mixed} answers not of one version"
    found += f"; {sum(served)} of {len(served)} publications were served before the next"
    reached = failed == mixed == 0 and sum(served) >= SERVED * len(served) > 0
    yield Figure(f"a new version every {every:.0f} s for {seconds:.0f} s", found, f"0, 0, {SERVED:.0%}", reached)
    early = sizes[len(sizes) // 3 :][:2]  # by turns a worker has room for one version and for two
    growth = max(sizes[-2:]) / max(early) - 1
    yield Figure("meanwhile", f"memory {growth:+.1%}, {answers.late}", f"memory {GROWTH:+.0%}", growth < GROWTH)


def all_serve(address: str, version: str) -> bool:
    """Whether all of a server's workers have a version: of so many answers that no worker gives none of them."""
    answers = (requests.get(f"{address}/readyz", timeout=PATIENCE) for _ in range(12))
    return all(one.ok and one.json()["model"]["version"] == version for one in answers)


CASES: Mapping[str, Callable[[], Iterator[Figure]]] = {one.__name__: one for one in (rates, starts, memory, swaps)}
