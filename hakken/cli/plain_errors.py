"""Errors of commands: one sentence on stderr, never a traceback."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from hakken.errors import HakkenError


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
