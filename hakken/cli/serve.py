"""python -m hakken serve: start the server."""

import os
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Serve the app. ARGUMENTS are gunicorn's, such as --bind 127.0.0.1:5000."""
    # Loading the commands has loaded NumPy, which must find variables that gunicorn.conf.py sets: Python begins anew.
    os.execv(sys.executable, [sys.executable, "-m", "hakken.serving", *arguments])  # noqa: S606  # no shell is wanted
