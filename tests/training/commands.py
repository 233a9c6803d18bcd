"""Run a command in this process."""

from collections.abc import Callable
from pathlib import Path

import click.testing

from hakken.cli.main import main

Train = Callable[..., click.testing.Result]
"""Trains a model at `model` in the test's directory; takes options, and `ratings` and `status` as `run` does."""


def run(*arguments: str | Path, status: int = 0) -> click.testing.Result:
    result = click.testing.CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result
