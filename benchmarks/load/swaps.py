"""Publishing one version after another while requests are answered: every answer must be of one version alone."""

import gzip
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from itertools import cycle, pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import requests

from benchmarks.load import artefacts
from benchmarks.load.asking import as_json, as_page, sample_list
from benchmarks.load.client import Answer, Answers, Load, Plan
from benchmarks.load.serving import grown, serving
from tests.serving import ROOT

MARKS = ("one", "two")
RATE = 20.0
TELLING = 4
"""Answers before the next publication that must be of the version: one worker alone seldom gives them all."""


class Swapped(NamedTuple):
    """What came of it.

    Attributes:
        answers: all of them.
        published: how many publications had their time to be seen.
        served: how many of those were: before the next, answers were of that version and no other.
        mixed: answers that were not of one version alone.
        growth: of the workers' memory once they have warmed up, as a part.
    """

    answers: Answers
    published: int
    served: int
    mixed: int
    growth: float


class Publication(NamedTuple):
    """A version's, at a second of the run."""

    mark: str
    begun: float


def swap(seconds: float, every: float, rate: float = RATE) -> Swapped:
    """Publish a version `every` so many seconds, under load."""
    with tempfile.TemporaryDirectory(prefix="hakken-swaps-") as name:
        place = Path(name)
        versions = {artefacts.marked(place / mark, mark).version: mark for mark in MARKS}
        publish(place / MARKS[0], place / "published")
        environment = {"HAKKEN_MODEL": f"file://{place}/published", "HAKKEN_MODEL_POLL": "0.5"}
        user_list = sample_list()
        with serving(**environment) as server:
            plan = Plan(rate, seconds, keep=True)
            with Load(server.address, [as_json(user_list), as_page(user_list)], plan) as load:
                sizes, published = list[int](), list[Publication]()
                for one in _publishing(place, server.address, load, every, 2 * TELLING / rate):
                    published.append(one)
                    sizes.append(server.memory)
                answers = load.answers()
    good = Answers(one for one in answers if one.status == HTTPStatus.OK)
    mixed = sum(len(marks_in(one)) != 1 for one in good) + sum(not _is_what_it_says(one, versions) for one in good)
    # By turns a worker has room for one version and for two, as the new one comes before the old one goes: what it
    # holds of both turns is what may not grow.
    most = [max(pair) for pair in pairwise(sizes)] or sizes  # a short run on a busy machine has but one
    return Swapped(answers, len(published) - 1, served(published, good), mixed, grown(most))


def served(published: list[Publication], answers: Answers) -> int:
    """How many publications were served by the time of the next; of the last, nobody knows.

    The last few requests before the next one tell: until each worker has looked for models, they differ, and one that
    never does would soon give itself away.
    """
    ordered = sorted(answers, key=lambda one: one.due)
    seen = 0
    for one, following in pairwise(published):
        last = [marks_in(each) for each in ordered if one.begun < each.due < following.begun][-TELLING:]
        seen += len(last) == TELLING and all(marks == {one.mark} for marks in last)
    return seen


def publish(artefact: Path, target: Path | str) -> None:
    """Make a version the current one, by the command."""
    command = [sys.executable, "-m", "hakken", "publish", "--quiet", str(artefact), str(target)]
    subprocess.run(command, cwd=ROOT, check=True)


def _publishing(place: Path, address: str, load: Load, every: float, telling: float) -> Iterator[Publication]:
    """Publish a version `every` so many seconds, yet none sooner than `telling` seconds after all serve the last."""
    due = time.monotonic() + every
    for mark in cycle((*MARKS[1:], MARKS[0])):
        time.sleep(max(0.0, due - time.monotonic()))
        if load.over:
            return
        yield Publication(mark, load.passed)
        before = _named(address)
        publish(place / mark, place / "published")
        while not load.over and before & _named(address):
            time.sleep(0.2)
        due = max(due + every, time.monotonic() + telling)


def _named(address: str) -> set[str]:
    """The versions that a server's workers serve: of so many answers that no worker gives none of them."""
    return {requests.get(f"{address}/readyz", timeout=10).json()["model"]["version"] for _ in range(12)}


def marks_in(answer: Answer) -> set[str]:
    """The marks of the versions that the titles in an answer are of."""
    text = text_of(answer)
    return {mark for mark in MARKS if f"{mark}{artefacts.SIGN}" in text}


def text_of(answer: Answer) -> str:
    """The body of an answer."""
    return (gzip.decompress(answer.body) if answer.said == "gzip" else answer.body).decode()


def _is_what_it_says(answer: Answer, versions: dict[str, str]) -> bool:
    """Whether the titles are of the version that the answer names, where it names one."""
    text = text_of(answer)
    if not text.startswith("{"):
        return True
    named = msgspec.json.decode(text)["model"]["version"]
    return marks_in(answer) == {versions[named]}
