"""Renew the golden answers by the slow oracle, and say what moved: python -m tests.golden."""

import time
from collections.abc import Iterator
from operator import ne

import click

from hakken.model import store
from hakken.ratings import Preferences
from tests.golden import HERE, MODELS, Answers, N, entries_of, lists, questions, read, written
from tests.golden.oracle import Stored, Title, Visitor


def main() -> None:
    """Compute the answers of both models."""
    for model, directory in MODELS.items():
        begun = time.perf_counter()
        path = HERE / f"{model}.json"
        old = read(model)[1] if path.exists() else {}
        new = computed(model)
        path.write_text(written(store.open_artefact(directory).version, new))
        _, new = read(model)  # rounded, as the old ones
        click.echo(f"{model}: {len(new)} answers in {time.perf_counter() - begun:.0f} s")
        moved = list(differences(old, new))
        click.echo("\n".join(moved) if moved else "  nothing moved")


def computed(model: str) -> Answers:
    """The oracle's answers."""
    stored = Stored(MODELS[model])
    visitors = {name: Visitor(stored, entries_of(user_list)) for name, user_list in lists().items()}
    variety = Preferences().variety
    return {name: visitors[who].answer(order, franchise, N, variety) for name, who, order, franchise in questions()}


def differences(old: Answers, new: Answers) -> Iterator[str]:
    """A line for each list that is not what it was; a diff of the file tells the rest."""
    for name, answer in new.items():
        for part, now in answer._asdict().items():
            was: list[Title] = getattr(old[name], part) if name in old else []
            if was != now:
                before, after = ([one.anime_id for one in titles] for titles in (was, now))
                came, moved = set(after) - set(before), sum(map(ne, after, before))
                yield f"  {name}, {part}: {len(came)} titles came in, {moved} places hold another title"


if __name__ == "__main__":
    main()
