"""Measure the served app: python -m ops load|chaos. Figures go to docs/operations.md by `--write`."""

import sys

import click

from ops import chaos, load
from ops.report import Figure, NotHere, put, section

SUITES = {"load": (load.CASES, load.OPENING), "chaos": (chaos.SCENARIOS, chaos.OPENING)}


@click.command()
@click.argument("suite", type=click.Choice(list(SUITES)))
@click.argument("names", nargs=-1)
@click.option("--write", is_flag=True, help="Write docs/operations.md; all of the suite is needed for that.")
def main(suite: str, names: tuple[str, ...], write: bool) -> None:
    """Measure NAMES of a SUITE, or all of it."""
    cases, opening = SUITES[suite]
    if (write and names) or not set(names) <= set(cases):
        raise click.UsageError(f"Name some of {', '.join(cases)}, or write the page from all of them.")
    figures: list[Figure] = []
    for name in names or cases:
        try:
            for figure in cases[name]():
                print(figure, flush=True)
                figures.append(figure)
        except NotHere as error:
            figures.append(Figure(name, f"not tried: {error}", "tried", reached=False))
            print(figures[-1], flush=True)
    if write:
        put(section(suite.capitalize(), opening, figures))
    sys.exit(0 if all(one.reached for one in figures) else 1)


if __name__ == "__main__":
    main()
