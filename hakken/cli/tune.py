"""python -m hakken tune: search for the parameters of the best predictions, and of the best lists."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from hakken.cli.options import DIRECTORY, TABLE, quiet_option
from hakken.cli.plain_errors import plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.errors import TableError
from hakken.model import Parameters

if TYPE_CHECKING:
    import pandas as pd

    from hakken.training.tuning import Tuned


@click.command()
@click.option("--ratings", type=TABLE, required=True, help="Table of ratings.")
@click.option("--anime", type=TABLE, help="Table of anime; without it nothing is known of series.")
@click.option("--titles", type=TABLE, help="Table of further names and facts; requires --anime.")
@click.option("--relations", type=TABLE, help="Table of related anime; requires --anime.")
@click.option("--out", type=DIRECTORY, required=True, help="Directory to write.")
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="Candidates of each of the two searches.",
)
@click.option("--sample-users", type=click.IntRange(min=1), help="Users to tune on; all, unless the table is large.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of all random numbers."
)
@quiet_option
def tune(
    ratings: Path,
    anime: Path | None,
    titles: Path | None,
    relations: Path | None,
    out: Path,
    iterations: int,
    sample_users: int | None,
    seed: int,
    quiet: bool,
) -> None:
    """Search for parameters: of predicted ratings, then of lists.

    Writes table.csv, rmse.svg, match.csv and params.json, which `train --params` reads.
    """
    if (titles or relations) and not anime:
        raise click.UsageError("--titles and --relations go with --anime.")
    # Loading the compiler takes a second, which other commands should not wait for; here and below.
    from hakken.evaluation import match_tuning  # noqa: PLC0415  # loads the compiler: a second
    from hakken.evaluation.comparison import Sources, read_catalogue  # noqa: PLC0415  # loads the compiler: a second
    from hakken.training import tables, tuning  # noqa: PLC0415  # loads the compiler: a second

    with stop_on_signal(lambda: f"Stopped: {out} is as it was.") as stop, plain_errors():
        with show_progress(stop, quiet=quiet) as progress:
            catalogue = read_catalogue(Sources(ratings, anime, titles, relations), progress)
            table = tables.read_ratings(ratings, progress=progress)
        some = match_tuning.sampled(table, sample_users, seed)
        if not quiet:
            n_scores = int((some.scores > 0).sum())
            click.echo(f"{ratings}: tuning on {n_scores:,} scores of {some.n_users:,} of {table.n_users:,} users")
        with show_progress(stop, quiet=quiet) as progress:
            tuned = tuning.tune(some, iterations, seed, progress)
            of_ratings = {name: getattr(tuned.parameters, name) for name in tuning.TUNED}
            start = msgspec.structs.replace(Parameters(), **of_ratings)
            try:
                best, lists = match_tuning.tune_match(some, catalogue, start, iterations, seed=seed, progress=progress)
            except TableError as error:
                click.echo(f"What lists are made with stays as it is by default. {error}", err=True)
                best, lists = start, None
            tuned = tuned._replace(parameters=best)
            tuning.save(tuned, out, lists)
    if not quiet:
        for line in _summary(tuned, lists, out):
            click.echo(line)


def _summary(tuned: "Tuned", lists: "pd.DataFrame | None", out: Path) -> Iterator[str]:
    """Summarise the search."""
    from hakken.evaluation import match_tuning  # noqa: PLC0415  # loads the compiler: a second
    from hakken.training import tuning  # noqa: PLC0415  # loads the compiler: a second

    yield f"RMSE {tuned.candidates['rmse'].iloc[0]:.4f}; {tuned.textbook_rmse:.4f} with the textbook's parameters"
    names, files = [*tuning.TUNED], [tuning.TABLE, tuning.PLOT, tuning.PARAMETERS]
    if lists is not None:
        values = lists["value"]
        yield f"NDCG@10 liked, mean of both lists {values.max():.4f}; {values[0]:.4f} with the defaults"
        names += [*match_tuning.WEIGHTS, *match_tuning.MATCH, "trust", *match_tuning.IMPLICIT]
        files.append(tuning.LISTS)
    for name in names:
        yield f"  {name:<16}{getattr(tuned.parameters, name):>8g}"
    yield f"{out}: {', '.join(files)}"
