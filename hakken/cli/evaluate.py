"""python -m hakken evaluate: compare Hakken with other methods, for people who were not in training."""

import re
from pathlib import Path
from typing import Any

import click

from hakken.cli.options import DIRECTORY, FILE, quiet_option, table_options
from hakken.cli.plain_errors import TrainingCommand, check_writable, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.model import Parameters

METHODS = (
    *("hakken", "first-stage", "popularity", "item-mean", "baseline", "original", "item-knn", "rp3beta", "als"),
    *("ease", "ease-200", "knn-baseline", "svd", "svdpp"),
)
ABLATIONS = tuple(
    f"hakken-without-{part}" for part in ("time", "popularity", "series", "rating", "factors", "aversion", "variety")
)
"""Names of all methods, and of those that `--ablation` adds, which `--help` need not load: both in the order of
`hakken.evaluation.comparison.all_methods`, in which they are tried."""
METHOD = click.Choice(METHODS)


def _years(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{4})(?:-([0-9]{4}))?", text)
    years = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if years[0] > years[1]:
        raise click.BadParameter("it must be a year, or a range such as 2020-2021.")
    return years


@click.command(cls=TrainingCommand)
@table_options("Table of ratings, or a folder of its parts.", "Table of anime; without it discovery is not measured.")
@click.option("--keys", type=FILE, help="CSV of anime_id,key: series to judge lists by, instead of the catalogue's.")
@click.option("--people", type=FILE, help="CSV of user_id,group: groups of people to measure Hakken for as well.")
@click.option(
    "--salt", "salts", multiple=True, default=["hakken"], help="Salt that the table is split by; may be repeated."
)
@click.option("--only", type=METHOD, multiple=True, help="A method to try, instead of all; may be repeated.")
@click.option("--without", type=METHOD, multiple=True, help="A method to leave out; may be repeated.")
@click.option(
    "--once",
    type=click.Choice((*METHODS, *ABLATIONS)),
    multiple=True,
    help="A method to try with the first salt only; may be repeated.",
)
@click.option("--ablation", is_flag=True, help="Also try Hakken without each part of its second stage in turn.")
@click.option("--params", type=FILE, help="JSON file of Hakken's parameters, such as `tune` writes.")
@click.option(
    "--hide-years",
    callback=_years,
    metavar="FIRST-LAST",
    help="Hide titles of these years from training, and measure only how well they are found.",
)
@click.option(
    "--resamples", type=click.IntRange(min=0), default=1000, show_default=True, help="Resamples of the bootstrap."
)
@click.option(
    "--report",
    type=DIRECTORY,
    help="Directory for evaluation.md, and a folder with its table and plots.",
)
@quiet_option
def evaluate(
    keys: Path | None,
    people: Path | None,
    salts: tuple[str, ...],
    only: tuple[str, ...],
    without: tuple[str, ...],
    once: tuple[str, ...],
    ablation: bool,
    params: Path | None,
    hide_years: tuple[int, int] | None,
    resamples: int,
    report: Path | None,
    quiet: bool,
    **tables: Any,  # noqa: ANN401  # one for each of the shared options
) -> None:
    """Measure recommendations for people who were not in training, beside other methods."""
    if (tables["titles"] or tables["relations"] or keys or hide_years) and not tables["anime"]:
        raise click.UsageError("--titles, --relations, --keys and --hide-years need --anime.")
    if hide_years and (keys or people or only or without or once or ablation or report):
        raise click.UsageError("--hide-years can be combined only with the options for tables, --salt and --params.")
    names = [name for name in METHODS if name in (only or METHODS) and name not in without]
    names += ABLATIONS if ablation else ()
    if not names:
        raise click.UsageError("--only and --without leave no method to try.")
    if report:
        check_writable(report, "--report")

    # Loading libraries takes seconds, which other commands should not wait for.
    from hakken.evaluation import comparison  # noqa: PLC0415  # loads the compiler: a second
    from hakken.evaluation import report as reporting  # noqa: PLC0415  # loads the compiler: a second
    from hakken.training.parameters import read_parameters  # noqa: PLC0415  # loads the compiler: a second

    stopped = f"Stopped; {report} is unchanged." if report else "Stopped."
    written: list[Path] = []
    with stop_on_signal(lambda: stopped) as stop, plain_errors():
        parameters = read_parameters(params) if params else Parameters()
        asked = comparison.Sources(**tables, keys=keys, people=people), list(dict.fromkeys(salts)), parameters
        with show_progress(stop, quiet=quiet) as progress:
            if hide_years:
                said = comparison.hide_years(*asked, hide_years, progress).to_string(index=False)
            else:
                found = comparison.evaluate(*asked, names, once=once, n_resamples=resamples, progress=progress)
                said = "\n".join([reporting.markdown(found.table), reporting.markdown_by_group(found.groups)])
        if report:
            written = reporting.write(found, report)
    if not quiet:
        click.echo("\n".join([said, *map(str, written)]))
