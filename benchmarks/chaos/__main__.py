"""The chaos suite: python -m benchmarks.chaos. What comes of it goes to docs/operations.md by `--write`. Linux only."""

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial

import click

from benchmarks.chaos import clients, models, outside, processes
from benchmarks.chaos.judging import NotHere
from benchmarks.operations import Figure, put, section

SCENARIOS: Mapping[str, Callable[[], Figure]] = {
    "bucket-gone": partial(models.bucket_gone, 10.0),
    "bucket-damaged": partial(models.bucket_damaged, 10.0),
    "version-missing": partial(models.version_missing, 10.0),
    "disk-full": partial(models.disk_full, 10.0),
    "damaged-before-opening": partial(models.damaged_before_opening, 10.0),
    "damaged-before-restart": partial(models.damaged_before_restart, 5.0),
    "killed": partial(processes.killed, 20.0),
    "killed-directly": partial(processes.killed_directly, 20.0),
    "hung-up": partial(processes.hung_up, 15.0),
    "terminated": partial(processes.terminated, 12.0),
    "terminated-group": partial(processes.terminated_group, 12.0),
    "recycled": partial(processes.recycled, 15.0),
    "restarted": partial(processes.restarted, 10.0),
    "flapping": partial(outside.flapping, 20.0),
    "clock": partial(outside.clock, 16.0),
    "slow-behind-nginx": partial(clients.slow_behind_nginx, 20.0),
    "slow-directly": partial(clients.slow_directly, 10.0),
    "fuzzed": partial(clients.fuzzed, 10_000),
}
OPENING = """\
Each scenario runs with two workers. A client requests the API and the results page with a list of 300 entries, at fixed
times, with one connection per request, and also counts requests without an answer. A scenario passes if every status is
one of those wanted, and if afterwards twenty more answers are good and come from the newest model, if there is one."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SCENARIOS)))
@click.option("--write", is_flag=True, help="Write docs/operations.md; all scenarios are needed for that.")
def main(names: tuple[str, ...], write: bool) -> None:
    """Let NAMES happen, or everything."""
    if write and names:
        raise click.UsageError("The page is written from all scenarios.")
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    figures = []
    for name in names or SCENARIOS:
        try:
            figure = SCENARIOS[name]()
        except NotHere as error:
            figure = Figure(name, f"not tried: {error}", "tried", reached=False)
        print(figure, flush=True)
        figures.append(figure)
    if write:
        put(section("Chaos", "make chaos", OPENING, figures))
    sys.exit(0 if all(one.reached for one in figures) else 1)


if __name__ == "__main__":
    main()
