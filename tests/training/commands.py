"""Run a command in this process."""

from pathlib import Path

import click.testing

from hakken.cli.main import main


def run(*arguments: str | Path, status: int = 0) -> click.testing.Result:
    result = click.testing.CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result
