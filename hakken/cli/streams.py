"""Running a command whatever its standard streams are: of another encoding, closed, or without room."""

import os
import sys
from pathlib import Path

import click


def run(command: click.Command, name: str | None = None) -> None:
    """Run a command and end the process.

    A closed stream is as empty as `/dev/null`. Characters that the terminal's encoding lacks are printed as `?`. An
    error of the system that no command foresees, such as a full disk behind `>`, ends it with one sentence.
    """
    for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, stream) is None:
            setattr(sys, stream, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # open to the end
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # it is no replacement of a test here
    try:
        command(prog_name=name)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}.", err=True)
        _drop_unwritten()
        raise SystemExit(1) from error


def _drop_unwritten() -> None:
    """Discard what standard output can't take, which Python would try to write again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
