"""Places that a command is to write to."""

import os
from pathlib import Path

import click


def check_writable(directory: Path, option: str) -> None:
    """Say before minutes of work that its result has no place to go.

    Args:
        directory: where files, and directories that are not there yet, are to be written.
        option: that named it.

    Raises:
        click.BadParameter: nothing can be written there.
    """
    existing = next(one for one in (directory, *directory.absolute().parents) if one.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise click.BadParameter(f"Nothing can be written to {directory}.", param_hint=option)
