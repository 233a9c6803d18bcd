"""Publishing one version after another while requests are answered: every answer must be of one version alone."""

import gzip
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.load import artefacts
from benchmarks.load.asking import as_json, as_page, sample_list
from benchmarks.load.client import Answer, Answers, Load, Plan
from benchmarks.load.serving import serving
from tests.serving import ROOT

MARKS = ("one", "two")
RATE = 20.0


class Swapped(NamedTuple):
    """What came of it.

    Attributes:
        answers: all of them.
        versions: how many were seen to be served.
        mixed: answers that were not of one version alone.
        growth: of the workers' memory from the first third of the time to its end, as a part.
    """

    answers: Answers
    versions: int
    mixed: int
    growth: float


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
                sizes = list(_publishing(place, load, every, lambda: server.memory))
                answers = load.answers()
    marks = [marks_in(one) for one in answers if one.status == 200]  # noqa: PLR2004  # as HTTP has it
    seen = {mark for found in marks for mark in found}
    mixed = sum(1 for found in marks if len(found) != 1)
    mixed += sum(1 for one in answers if not _is_what_it_says(one, versions))
    early = sizes[len(sizes) // 3]
    return Swapped(answers, len(seen), mixed, sizes[-1] / early - 1)


def publish(artefact: Path, target: Path | str) -> None:
    """Make a version the current one, by the command."""
    command = [sys.executable, "-m", "hakken", "publish", "--quiet", str(artefact), str(target)]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603  # ours


def _publishing(place: Path, load: Load, every: float, memory: Callable[[], int]) -> Iterator[int]:
    due = time.monotonic()
    for mark in cycle((*MARKS[1:], MARKS[0])):
        due += every
        time.sleep(max(0.0, due - time.monotonic()))
        if load.over:
            return
        yield memory()
        publish(place / mark, place / "published")


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
