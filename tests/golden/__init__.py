"""Golden answers: what `recommend` has to answer to four lists, from two models, as the slow oracle computed it.

`make golden` renews the answers and says what moved. The small model and the made-up lists stay: see README.md here.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from hakken.lists import uploads
from hakken.model import store
from hakken.ratings import Rating, Status, UserList
from tests.golden.oracle import Answer, Entry, Title

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "static" / "sample-export.xml"
MODELS = {"small": HERE / "small", "embedded": store.EMBEDDED_PATH}
LENGTHS = (20, 300, 2000)
ORDERS = ("match", "predicted_rating")
FRANCHISES = ("new", "all")
N = 20

Answers = Mapping[str, Answer]
"""List, order and series rule, such as "sample match new" → the answer."""


def questions() -> Iterator[tuple[str, str, str, str]]:
    """Name, list, order and series rule of each answer."""
    for name in ("sample", *map(str, LENGTHS)):
        for order in ORDERS:
            for franchise in FRANCHISES:
                yield f"{name} {order} {franchise}", name, order, franchise


def lists() -> dict[str, UserList]:
    """The sample list and the made-up ones, by name."""
    with SAMPLE.open("rb") as file:
        found = {"sample": uploads.parse(file)}
    for length in LENGTHS:
        entries = json.loads((HERE / "lists" / f"{length}.json").read_bytes())  # arrays of id, score and status
        found[str(length)] = UserList.of(Rating(anime_id, score, Status(status)) for anime_id, score, status in entries)
    return found


def entries_of(user_list: UserList) -> list[Entry]:
    """A list as the oracle takes it."""
    return [(one.anime_id, one.score, one.status.value) for one in user_list.ratings]


def read(model: str) -> tuple[str, Answers]:
    """The version of the model that the stored answers of a model are from, and those."""
    stored = json.loads((HERE / f"{model}.json").read_bytes())
    return stored["version"], {
        name: Answer(*([Title(*row) for row in answer[part]] for part in Answer._fields))
        for name, answer in stored["answers"].items()
    }


def written(version: str, answers: Answers) -> str:
    """How they are stored: JSON, a line for each title, so that a diff tells what moved."""
    lines = []
    for name, answer in answers.items():
        parts = []
        for part, titles in answer._asdict().items():
            rows = ",\n".join(json.dumps(_rounded(one), separators=(",", ":")) for one in titles)
            parts.append(f'"{part}":[\n{rows}]' if rows else f'"{part}":[]')
        lines.append(f'"{name}":{{{",".join(parts)}}}')
    return f'{{"version":"{version}","answers":{{\n' + ",\n".join(lines) + "}}\n"


def _rounded(title: Title) -> Title:
    """As stored."""
    reasons = [(anime_id, round(share, 8)) for anime_id, share in title.reasons]
    return title._replace(match=round(title.match, 8), reasons=reasons)
