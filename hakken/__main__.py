"""python -m hakken: the command line."""

from hakken.cli.main import main
from hakken.cli.streams import run

if __name__ == "__main__":
    run(main, "python -m hakken")
