"""The command line: hakken or, where it is not installed, python -m hakken."""

from hakken.cli.main import main
from hakken.cli.streams import run


def command() -> None:
    """Run the command that was typed, under the name by which it was."""
    run(main)


if __name__ == "__main__":
    command()
