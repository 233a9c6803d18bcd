"""Renew the golden answers by the slow oracle, and say what moved: python -m tests.golden."""

import time
from collections.abc import Iterator, Sequence

import click

from hakken.model import store
from tests.golden import MODELS, Answers, N, answers_path, entries_of, lists, questions, read, written
from tests.golden.oracle import Stored, Title, Visitor


def main() -> None:
    """Compute the answers of both models."""
    for model, directory in MODELS.items():
        begun = time.perf_counter()
        old = read(model)[1] if answers_path(model).exists() else {}
        new = computed(model)
        answers_path(model).write_text(written(store.open_artefact(directory).version, new))
        _, new = read(model)  # rounded, as the old ones
        click.echo(f"{model}: {len(new)} answers in {time.perf_counter() - begun:.0f} s")
        moved = list(differences(old, new))
        click.echo("\n".join(moved) if moved else "  nothing moved")


def computed(model: str) -> Answers:
    """The oracle's answers."""
    stored = Stored(MODELS[model])
    visitors = {name: Visitor(stored, entries_of(user_list)) for name, user_list in lists().items()}
    return {name: visitors[who].answer(order, franchise, N) for name, who, order, franchise in questions()}


def differences(old: Answers, new: Answers) -> Iterator[str]:
    """A line for each list that is not what it was."""
    for name, answer in new.items():
        if name not in old:
            yield f"  {name}: new"
            continue
        for part, was, now in zip(answer._fields, old[name], answer, strict=True):
            if was != now:
                yield f"  {name}, {part}: {told(was, now)}"


def told(was: Sequence[Title], now: Sequence[Title]) -> str:
    """Which ids came in, went out and moved, and the greatest difference of any number of those that stayed."""
    before, after = ({one.anime_id: one for one in titles} for titles in (was, now))
    stayed = [anime_id for anime_id in before if anime_id in after]
    ranked = [anime_id for anime_id in after if anime_id in before]
    moved = [one for one, other in zip(ranked, stayed, strict=True) if one != other]
    parts = {
        "in": [one for one in after if one not in before],
        "out": [one for one in before if one not in after],
        "moved": moved,
    }
    said = [f"{what} {', '.join(map(str, ids))}" for what, ids in parts.items() if ids]
    for what in ("rating", "match"):
        pairs = [(getattr(before[one], what), getattr(after[one], what)) for one in stayed]
        greatest = max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0.0)
        said.append(f"greatest difference in {what} {greatest:.2g}")
    changed = sum(before[one].reasons != after[one].reasons for one in stayed)
    return "; ".join([*said, f"reasons of {changed} titles"])


if __name__ == "__main__":
    main()
