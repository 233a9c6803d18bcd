"""python -m hakken: the command line."""

from hakken.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m hakken")
