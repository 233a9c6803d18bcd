"""python -m hakken tune: search for the parameters of the best predictions, and of the best lists."""

from pathlib import Path
from typing import Any

import click
import msgspec

from hakken.cli.options import DIRECTORY, quiet_option, table_options
from hakken.cli.plain_errors import TrainingCommand, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.errors import TableError
from hakken.model import Parameters


@click.command(cls=TrainingCommand)
@table_options("Table of ratings.", "Table of anime; without it, nothing is known about series.")
@click.option("--out", type=DIRECTORY, required=True, help="Directory to write.")
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="Candidates of each of the two searches; a few values of trees and aversion are tried after them.",
)
@click.option(
    "--sample-users", type=click.IntRange(min=1), help="Users to tune on; by default all, unless the table is large."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of all random numbers."
)
@quiet_option
def tune(
    out: Path,
    iterations: int,
    sample_users: int | None,
    seed: int,
    quiet: bool,
    **tables: Any,  # noqa: ANN401  # one for each of the shared options
) -> None:
    """Search for parameters: of predicted ratings, of lists without trees, then of trees and aversion.

    Writes table.csv, rmse.svg, match.csv and params.json, which `train --params` reads.
    """
    if (tables["titles"] or tables["relations"]) and not tables["anime"]:
        raise click.UsageError("--titles and --relations need --anime.")
    # Loading the compiler takes a second, which other commands should not wait for.
    from hakken.evaluation import comparison, match_tuning  # noqa: PLC0415  # loads the compiler: a second
    from hakken.training import tuning  # noqa: PLC0415  # loads the compiler: a second
    from hakken.training.tables import read_ratings  # noqa: PLC0415  # loads the compiler: a second

    sources = comparison.Sources(**tables)
    with stop_on_signal(lambda: f"Stopped; {out} is unchanged.") as stop, plain_errors():
        with show_progress(stop, quiet=quiet) as progress:
            catalogue = comparison.read_catalogue(sources, progress)
            table = read_ratings(sources.ratings, progress=progress)
        some = match_tuning.sampled(table, sample_users, seed)
        if not quiet:
            n_scores, users = int((some.scores > 0).sum()), f"{some.n_users:,} of {table.n_users:,} users"
            click.echo(f"{sources.ratings}: tuning on {n_scores:,} scores of {users}")
        with show_progress(stop, quiet=quiet) as progress:
            tuned = tuning.tune(some, iterations, seed, progress)
            of_ratings = {name: getattr(tuned.parameters, name) for name in tuning.TUNED}
            best, lists = msgspec.structs.replace(Parameters(), **of_ratings), None
            try:
                best, lists = match_tuning.tune_match(some, catalogue, best, iterations, seed=seed, progress=progress)
            except TableError as error:
                click.echo(f"The parameters of the match keep their defaults. {error}", err=True)
            tuning.save(tuned._replace(parameters=best), out, lists)
    if quiet:
        return
    click.echo(f"RMSE {tuned.candidates['rmse'].iloc[0]:.4f}; {tuned.textbook_rmse:.4f} with textbook parameters")
    names, files = [*tuning.TUNED], [tuning.TABLE, tuning.PLOT, tuning.PARAMETERS]
    if lists is not None:
        values = lists["value"]
        click.echo(f"NDCG@10 liked, mean of both lists {values.max():.4f}; {values[0]:.4f} with the defaults")
        names += match_tuning.TUNED
        files.append(tuning.LISTS)
    for name in names:
        click.echo(f"  {name:<16}{getattr(best, name):>8g}")
    click.echo(f"{out}: {', '.join(files)}")
