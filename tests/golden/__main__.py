"""Renew the golden answers by the slow oracle: python -m tests.golden. The diff of the files says what moved."""

import click

from hakken.model import store
from tests.golden import MODELS, N, answers_path, entries_of, lists, questions, written
from tests.golden.oracle import Stored, Visitor


def main() -> None:
    """Compute the answers of both models."""
    for model, directory in MODELS.items():
        stored = Stored(directory)
        visitors = {name: Visitor(stored, entries_of(user_list)) for name, user_list in lists().items()}
        answers = {name: visitors[who].answer(order, franchise, N) for name, who, order, franchise in questions()}
        answers_path(model).write_text(written(store.open_artefact(directory).version, answers))
        click.echo(f"{model}: {len(answers)} answers")


if __name__ == "__main__":
    main()
