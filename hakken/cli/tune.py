"""python -m hakken tune: search for the hyper-parameters that predict a table best."""

from pathlib import Path

import click

from hakken.cli.progress import shown
from hakken.cli.speaking import plain_errors
from hakken.cli.stopping import stoppable


@click.command()
@click.option("--ratings", type=click.Path(exists=True, path_type=Path), required=True, help="Table of ratings.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Directory to write.")
@click.option("--iterations", type=click.IntRange(min=1), default=40, show_default=True, help="Candidates to try.")
@click.option("--sample-users", type=click.IntRange(min=1), help="Users to tune on; all, unless the table is large.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of whatever is drawn.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def tune(ratings: Path, out: Path, iterations: int, sample_users: int | None, seed: int, quiet: bool) -> None:
    """Search for hyper-parameters; write table.csv, rmse.svg and params.json, which `train --params` takes."""
    # Loading the compiler takes a second, which the other commands should not wait for.
    from hakken.training import tables, tuning  # noqa: PLC0415

    def say(text: str) -> None:
        if not quiet:
            click.echo(text)

    def stopped() -> str:
        return f"Stopped: {out} is as it was."

    with stoppable(stopped) as stop, plain_errors():
        with shown(stop, quiet=quiet) as progress:
            table = tables.read_ratings(ratings, progress=progress)
        scores = tuning.take_scores(table, sample_users, seed)
        say(f"{ratings}: tuning on {len(scores.scores):,} scores of {scores.n_users:,} of {table.n_users:,} users")
        with shown(stop, quiet=quiet) as progress:
            tuned = tuning.tune(scores, iterations, seed, progress)
            tuning.save(tuned, out)
    say(f"RMSE {tuned.rmse:.4f}; {tuned.textbook_rmse:.4f} with the textbook's parameters")
    for name in tuning.TUNED:
        say(f"  {name:<14}{getattr(tuned.parameters, name):>8g}")
    say(f"{out}: {tuning.TABLE}, {tuning.PLOT}, {tuning.PARAMETERS}")
