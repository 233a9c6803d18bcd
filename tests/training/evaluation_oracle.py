"""The evaluation's protocol and metrics once more: slow, obvious, from the text of the protocol, sharing no code."""

import csv
import math
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Rows = dict[str, dict[int, int]]
"""User → anime → score, 0 for none."""


class Divided(NamedTuple):
    """What the protocol makes of a table: whose rows train, what each test user gives and has held out, and plans."""

    training: Rows
    given: Rows
    held_out: Rows
    planned: set[tuple[str, int]]


def divide(path: Path, salt: str) -> Divided:
    everyone: Rows = {}
    divided = Divided({}, {}, {}, set())
    unknown = set()
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            name, anime_id = row.get("username") or row["user_id"], int(row["anime_id"])
            score = max(0, int(row.get("my_score") or row["rating"]))
            everyone.setdefault(name, {})[anime_id] = score
            if row.get("watching_status") == "0" and score == 0:
                unknown.add((name, anime_id))
            if row.get("my_status") == "6":
                divided.planned.add((name, anime_id))
    divided.planned.update(unknown)
    for name, rows in everyone.items():
        if sum(score >= 1 for score in rows.values()) >= 20 and zlib.crc32(f"{salt}:{name}".encode()) % 5 == 0:
            in_bucket = {a for a in rows if zlib.crc32(f"{salt}:{name}:{a}".encode()) % 5 == 0}
            held_out = {a: r for a, r in rows.items() if a in in_bucket and (name, a) not in unknown}
            given = {a: r for a, r in rows.items() if a not in held_out}
            if held_out and sum(score >= 1 for score in given.values()) >= 5:
                divided.given[name], divided.held_out[name] = given, held_out
        else:
            divided.training[name] = rows
    return divided


def ndcg(shown: Sequence[object], relevant: Collection[object]) -> float:
    gains = [1 / math.log2(place + 2) if what in relevant else 0.0 for place, what in enumerate(shown[:10])]
    return sum(gains) / sum(1 / math.log2(place + 2) for place in range(min(10, len(relevant))))


def measures(divided: Divided, shown: Mapping[str, Sequence[int]], keys: Mapping[int, str]) -> dict[str, float]:
    """Means over users; `shown` is a whole ranking, so discovery leaves out what was begun."""
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for user, held_out in divided.held_out.items():
        given, ranking = divided.given[user], shown[user]
        liked = {a for a, r in held_out.items() if r >= 8}
        note("ndcg", ndcg(ranking, held_out))
        if liked:
            note("ndcg_liked", ndcg(ranking, liked))
        note("recall", sum(a in held_out for a in ranking[:20]) / min(20, len(held_out)))
        scores = [r for r in given.values() if r >= 1]
        for a in ranking[:10]:
            if held_out.get(a, 0) >= 1:
                note("lift", held_out[a] - sum(scores) / len(scores))
        new = list(_new_keys(ranking, given, keys))
        for name, rows in (("discovery", held_out), ("discovery_liked", liked)):
            wanted = {keys[a] for a in rows} - {keys[a] for a in given}
            if wanted:
                note(name, ndcg(new, wanted))
    return {name: sum(values) / len(values) for name, values in found.items()}


def share_disliked(
    divided: Divided, shown: Mapping[str, Sequence[int]], r_hat: Mapping[str, Mapping[int, float]]
) -> float:
    scored = [a for rows in divided.training.values() for a, r in rows.items() if r >= 1]
    found = []
    for user, ranking in shown.items():
        scores = [r for r in divided.given[user].values() if r >= 1]
        for a in ranking[:10]:
            below = scored.count(a) >= 3 and min(10, max(1, r_hat[user][a])) <= sum(scores) / len(scores) - 0.5
            found.append(below)
    return sum(found) / len(found)


def mean_cosine(divided: Divided, shown: Mapping[str, Sequence[int]]) -> float:
    have = {a: {user for user, rows in divided.training.items() if a in rows} for one in shown.values() for a in one}
    found = []
    for ranking in shown.values():
        for a in ranking[:10]:
            for b in ranking[:10]:
                if a < b:
                    both = len(have[a] & have[b])
                    found.append(both / math.sqrt(len(have[a]) * len(have[b])) if both else 0.0)
    return sum(found) / len(found)


def share_continued(
    shown: Sequence[int], seen: Collection[int], planned: Collection[int], keys: Mapping[int, str]
) -> float:
    begun = [keys[a] for a in seen]
    asked = []
    for a in shown:
        begun_by_a_plan_alone = keys[a] in [keys[b] for b in planned] and keys[a] not in begun
        if a not in planned and not begun_by_a_plan_alone:
            asked.append(a)
    hits = [a for a in asked[:10] if keys[a] in begun]
    return len(hits) / len(asked[:10]) if asked else 0.0


def next_parts(
    hidden: Collection[int],
    seen: Collection[int],
    dropped: Collection[int],
    keys: Mapping[int, str],
    began: Mapping[int, tuple[int, ...]],
) -> set[int]:
    """`began` is of shows only: year, month and day."""
    found = set()
    for a in hidden:
        if a not in began or keys[a] in [keys[b] for b in dropped]:
            continue
        before = [b for b in began if keys[b] == keys[a] and (*began[b], b) < (*began[a], a)]
        if before and all(b in seen for b in before):
            found.add(a)
    return found


def _new_keys(ranking: Sequence[int], given: Collection[int], keys: Mapping[int, str]) -> Iterator[str]:
    seen = {keys[a] for a in given}
    for a in ranking:
        if keys[a] not in seen:
            seen.add(keys[a])
            yield keys[a]
