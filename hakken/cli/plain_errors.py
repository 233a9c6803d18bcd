"""Errors of commands: one sentence on stderr, never a traceback."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click

from hakken.errors import HakkenError

TRAINING = (
    *("implicit", "ir_measures", "lightgbm", "matplotlib", "numba", "optuna", "pandas", "pyarrow", "scipy", "surprise"),
    "threadpoolctl",
)
"""Modules of the libraries in the extra `training`, which servers lack."""


class TrainingCommand(click.Command):
    """A command that needs the extra `training`: without it, all but `--help` ends with a sentence before it begins."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Check for the libraries first; a missing option matters less."""
        asks = ctx.resilient_parsing or not {*self.get_help_option_names(ctx)}.isdisjoint(args)
        if not asks and not all(map(find_spec, TRAINING)):
            raise click.UsageError(
                'This command needs the libraries for training: run "make venv", or pip install "hakken[training]".'
            )
        return super().parse_args(ctx, args)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn Hakken's own errors into click's: one sentence and exit status 1."""
    try:
        yield
    except HakkenError as error:
        raise click.ClickException(str(error)) from error


def check_writable(directory: Path, option: str) -> None:
    """Fail before minutes of work whose result could not be written.

    Args:
        directory: where files, and directories that do not exist yet, will be written.
        option: the option that named it.

    Raises:
        click.BadParameter: nothing can be written there.
    """
    existing = next(one for one in (directory, *directory.absolute().parents) if one.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise click.BadParameter(f"Nothing can be written to {directory}.", param_hint=option)
