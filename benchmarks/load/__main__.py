"""The load suite: python -m benchmarks.load. Figures go to docs/operations.md by `--write`. Linux, loopback only."""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import click

from benchmarks.load import cases
from benchmarks.operations import Figure, put, section

CASES: Mapping[str, Callable[[], Iterator[Figure]]] = {
    "rates": partial(cases.rates, cases.FULL),
    "profiles": cases.profiles,
    "starts": cases.starts,
    "memory": cases.memory,
    "swaps": partial(cases.swaps, cases.FULL),
    "soak": partial(cases.soak, cases.FULL),
}
OPENING = """\
Two workers on two cores, the client on the same machine, and the embedded model unless said otherwise. Rates are from
h2load with 16 connections that send the next request as soon as the last is answered: means of alternating rounds. A
hello-world route has two rates, depending on how the kernel distributes connections among the workers: one core of
Python, or both. Latencies are from a client that sends at fixed times and counts from the moment at which a request was
due, so they include time in queues. A profile is made in one process without gunicorn; the profiler slows Python code
more than NumPy's."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--write", is_flag=True, help="Write docs/operations.md; all cases are needed for that.")
def main(names: tuple[str, ...], write: bool) -> None:
    """Measure NAMES, or everything."""
    if write and names:
        raise click.UsageError("The page is written from all cases.")
    figures = []
    for name in names or CASES:
        for figure in CASES[name]():
            print(figure, flush=True)
            figures.append(figure)
    if write:
        put(section("Load", "make load", OPENING, figures))
    sys.exit(0 if all(one.reached for one in figures) else 1)


if __name__ == "__main__":
    main()
