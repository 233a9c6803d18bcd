"""How commands speak of failure: one plain sentence and exit status 1, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from hakken.errors import HakkenError


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn Hakken's own errors into click's."""
    try:
        yield
    except HakkenError as error:
        raise click.ClickException(str(error)) from error
