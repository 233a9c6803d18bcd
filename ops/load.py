"""What the served app bears: rates beside a hello-world route, start, memory, live swaps."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import cycle
from pathlib import Path

import msgspec

from benchmarks.recommending import synthetic_bundle
from hakken import catalogue
from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import Catalogue
from hakken.model import store
from hakken.model.store import Artefact, write_manifest
from ops.client import Load, Request, ask, h2load, usual
from ops.report import Figure
from ops.serving import APP, HELLO, UNHURRIED, all_serve, serving
from tests.serving import PATIENCE, ROOT, private_bytes, served

NEAR_TOP, SERVED = 0.8, 0.8
MARKS = ("one", "two")
SIGN = "§"  # ends a version's mark, which every title in it begins with
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
    what = f"99th percentile at {NEAR_TOP * top:.0f} requests/s (80% of the top rate)"
    middle = f"{late:.0f} ms; median {statistics.median(took):.0f} ms, none of {len(took)} failed"
    yield Figure(what, middle, "100 ms", late < 100)  # noqa: PLR2004  # as it says


def _said(taken: Sequence[float]) -> str:
    return f"{statistics.mean(taken):.0f} requests/s ({', '.join(f'{one:.0f}' for one in taken)})"


def _ratio(what: str, one: Sequence[float], other: Sequence[float], wanted: float) -> Figure:
    ratio = sum(one) / sum(other)
    return Figure(what, f"{ratio:.3f}", f"{wanted}", ratio >= wanted)


def starts(most: float = 1.5, number: int = 5) -> Iterator[Figure]:
    """Measure from the start of gunicorn to the first page that it answers."""
    taken = []
    for _ in range(number):
        begun = time.monotonic()
        with served(APP, **UNHURRIED) as (address, _):
            while ask(address, Request("/readyz"))[0] != HTTPStatus.OK and time.monotonic() < begun + PATIENCE:
                time.sleep(0.005)
            taken.append(time.monotonic() - begun)
    middle = statistics.median(taken)
    found = f"{middle:.2f} s ({', '.join(f'{one:.2f}' for one in taken)})"
    yield Figure("start to the first 200 of /readyz", found, f"{most} s", middle < most)


def memory(most: float = 120.0) -> Iterator[Figure]:
    """Measure what a worker holds for itself with a large model, after every kind of request."""
    bundle = synthetic_bundle()  # 14,000 anime with 200 neighbours and 200 preference weights each
    with tempfile.TemporaryDirectory(prefix="hakken-large-") as place:
        directory = Path(place)
        bundle.model.arrays.save(directory)
        bundle.catalogue.write(directory / catalogue.FILE_NAME)
        write_manifest(directory, bundle.model.manifest)
        with serving(HAKKEN_MODEL=place) as server:
            body, page = usual()
            taste = page.path.replace("recommendations", "taste")
            others = (taste, "/", "/anime/1", "/api/v1/anime?q=monster", "/readyz")
            h2load(server.address, [body], 4)
            h2load(server.address, [page, *map(Request, others)], 4)
            each = [private_bytes(worker) / 2**20 for worker in server.workers]
            master = private_bytes(server.process.pid) / 2**20
    found = f"{', '.join(f'{one:.0f}' for one in each)} MB; {master:.0f} MB more for the process that starts them"
    yield Figure("unique memory of each worker, model of 14,000 × 200", found, f"{most:.0f} MB", max(each) < most)


def swaps(seconds: float = 60.0, every: float = 2.0, rate: float = 20.0) -> Iterator[Figure]:
    """Publish a version `every` so many seconds, under load: every answer must be of one version alone."""
    with tempfile.TemporaryDirectory(prefix="hakken-swaps-") as name:
        place = Path(name)
        versions = [marked(place / mark, mark) for mark in MARKS]
        target = place / "published"
        publish(versions[0], target)
        told = {"HAKKEN_MODEL": target.as_uri(), "HAKKEN_MODEL_POLL": "0.5"}
        with serving(**told) as server, Load(server.address, usual(), rate, seconds) as load:
            served, sizes = list[bool](), list[int]()
            for artefact in cycle(reversed(versions)):
                due = time.monotonic() + every
                if load.passed + every > seconds:
                    break
                publish(artefact, target)
                while not (is_served := all_serve(server.address, artefact.version)) and time.monotonic() < due:
                    time.sleep(0.1)
                served.append(is_served)
                sizes.append(sum(map(private_bytes, server.workers)))
                time.sleep(max(0.0, due - time.monotonic()))
            answers = load.answers()
    good = [one for one in answers if one.status == HTTPStatus.OK]
    failed = len(answers) - len(good)
    mixed = sum(sum(f"{mark}{SIGN}".encode() in one.body for mark in MARKS) != 1 for one in good)
    found = f"{failed} of {len(answers)} requests failed, {mixed} answers not of one version"
    found += f"; {sum(served)} of {len(served)} publications were served before the next"
    reached = failed == mixed == 0 and sum(served) >= SERVED * len(served) > 0
    yield Figure(f"a new version every {every:.0f} s for {seconds:.0f} s", found, f"0, 0, {SERVED:.0%}", reached)
    early = sizes[len(sizes) // 3 :][:2]  # by turns a worker has room for one version and for two
    growth = max(sizes[-2:]) / max(early) - 1
    yield Figure("meanwhile", f"memory {growth:+.1%}, {answers.late}", "memory +2%", growth < 0.02)  # noqa: PLR2004  # as it says


def marked(directory: Path, mark: str) -> Artefact:
    """Write the embedded model with a mark in front of all titles."""
    embedded = ModelBundle.read(store.open_artefact(store.EMBEDDED))
    shutil.copytree(store.locate(store.EMBEDDED)[0], directory)
    titles = (msgspec.structs.replace(one, title=f"{mark}{SIGN}{one.title}") for one in embedded.catalogue.values())
    return put_catalogue(directory, Catalogue(titles))


def publish(artefact: Artefact, target: Path) -> None:
    """Make a version the current one of a directory that servers follow, by the command."""
    command = [sys.executable, "-m", "hakken", "publish", "--quiet", str(artefact.directory), target.as_uri()]
    subprocess.run(command, cwd=ROOT, check=True)


CASES: Mapping[str, Callable[[], Iterator[Figure]]] = {one.__name__: one for one in (rates, starts, memory, swaps)}
