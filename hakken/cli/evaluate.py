"""python -m hakken evaluate: compare Hakken with other methods, for people who were not in training."""

import re
from pathlib import Path

import click

from hakken.cli.options import DIRECTORY, FILE, TABLE, quiet_option
from hakken.cli.plain_errors import check_writable, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.model import Parameters

METHODS = (
    "hakken",
    "popularity",
    "item-mean",
    "baseline",
    "original",
    "item-knn",
    "als",
    "ease",
    "ease-200",
    "knn-baseline",
    "svd",
    "svdpp",
)
"""Names of all methods, in the order of `hakken.evaluation.comparison.all_methods`, which `--help` need not load."""
METHOD = click.Choice(METHODS)


def _years(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{4})(?:-([0-9]{4}))?", text)
    years = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if years[0] > years[1]:
        raise click.BadParameter("it must be a year, or two such as 2020-2021.")
    return years


@click.command()
@click.option("--ratings", type=TABLE, required=True, help="Table of ratings, or a folder of its parts.")
@click.option("--anime", type=TABLE, help="Table of anime; without it discovery is not measured.")
@click.option("--titles", type=TABLE, help="Table of further names and facts; requires --anime.")
@click.option("--relations", type=TABLE, help="Table of related anime; requires --anime.")
@click.option("--keys", type=FILE, help="CSV of anime_id,key: series to judge lists by, in place of the catalogue's.")
@click.option(
    "--salt", "salts", multiple=True, default=["hakken"], help="Salt that the table is split by; may be repeated."
)
@click.option("--only", type=METHOD, multiple=True, help="A method to try, in place of all; may be repeated.")
@click.option("--without", type=METHOD, multiple=True, help="A method to leave out; may be repeated.")
@click.option("--params", type=FILE, help="JSON file of Hakken's parameters, such as `tune` writes.")
@click.option(
    "--hide-years",
    callback=_years,
    metavar="FIRST-LAST",
    help="Hide titles of these years from training, and measure how well they are found, in place of all else.",
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
    ratings: Path,
    anime: Path | None,
    titles: Path | None,
    relations: Path | None,
    keys: Path | None,
    salts: tuple[str, ...],
    only: tuple[str, ...],
    without: tuple[str, ...],
    params: Path | None,
    hide_years: tuple[int, int] | None,
    resamples: int,
    report: Path | None,
    quiet: bool,
) -> None:
    """Measure recommendations for people who were not in training, beside other methods."""
    if (titles or relations or keys or hide_years) and not anime:
        raise click.UsageError("--titles, --relations, --keys and --hide-years go with --anime.")
    if hide_years and (keys or only or without or report):
        raise click.UsageError("--hide-years goes without --keys, --only, --without and --report.")
    names = [name for name in METHODS if name in (only or METHODS) and name not in without]
    if not names:
        raise click.UsageError("--only and --without leave no method to try.")
    if report:
        check_writable(report, "--report")

    stopped = f"Stopped: {report} is as it was." if report else "Stopped."
    # Loading libraries takes seconds, which other commands should not wait for.
    from hakken.evaluation import comparison, hidden_years  # noqa: PLC0415  # loads the compiler: a second
    from hakken.evaluation import report as reporting  # noqa: PLC0415  # loads the compiler: a second
    from hakken.training.parameters import read_parameters  # noqa: PLC0415  # loads the compiler: a second

    with stop_on_signal(lambda: stopped) as stop, plain_errors():
        parameters = read_parameters(params) if params else Parameters()
        sources = comparison.Sources(ratings, anime, titles, relations, keys)
        each_salt = list(dict.fromkeys(salts))
        with show_progress(stop, quiet=quiet) as progress:
            if hide_years:
                hidden = hidden_years.hide_years(sources, hide_years, each_salt, parameters, progress)
            else:
                found = comparison.evaluate(
                    sources, each_salt, names, parameters, n_resamples=resamples, progress=progress
                )
        written = reporting.write(found, report) if report else []
    if not quiet:
        click.echo(hidden.to_string(index=False) if hide_years else reporting.markdown(found.table))
        for path in written:
            click.echo(path)
