"""python -m hakken train: from tables to an artefact."""

from pathlib import Path

import click
import msgspec

from hakken.cli.speaking import plain_errors
from hakken.model import Parameters

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DEFAULTS = Parameters()


@click.command()
@click.option("--ratings", type=FILE, required=True, help="CSV: user_id, anime_id, rating (-1 or 0: not scored).")
@click.option("--anime", type=FILE, required=True, help="CSV: anime_id, name, genre, type, episodes, rating, members.")
@click.option("--titles", type=FILE, help="CSV of further names and facts.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Directory to write.")
@click.option("--reg-u", type=click.FloatRange(min=0), help="Regulariser of the user biases.")
@click.option("--reg-i", type=click.FloatRange(min=0), help="Regulariser of the item biases.")
@click.option("--n-epochs", type=click.IntRange(min=1), help="Rounds of least squares for the biases.")
@click.option("--shrinkage", type=click.FloatRange(min=0), help="Shrinkage of the similarities, in users.")
@click.option("--min-support", type=click.IntRange(min=1), help="Common users below which a similarity is 0.")
@click.option("--k-stored", type=click.IntRange(min=1), help="Neighbours kept per item.")
@click.option("--k", type=click.IntRange(min=1), help="Neighbours used for a prediction.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def train(ratings: Path, anime: Path, titles: Path | None, out: Path, quiet: bool, **given: float | None) -> None:
    """Train a model and write it to a directory, whole or not at all."""
    # Loading the compiler takes a second, which the other commands should not wait for.
    from hakken import training  # noqa: PLC0415
    from hakken.training import tables  # noqa: PLC0415

    def say(text: str) -> None:
        if not quiet:
            click.echo(text)

    chosen = {name: value for name, value in given.items() if value is not None}
    with plain_errors():
        parameters = msgspec.structs.replace(DEFAULTS, **chosen)
        catalogue = tables.read_catalogue(anime, titles)
        table = tables.read_ratings(ratings)
        say(f"{ratings}: {table.rows:,} rows, {len(table):,} kept")
        for reason, count in table.dropped.items():
            say(f"  left out, {reason}: {count:,}")
        artefact = training.train(table, catalogue, out, parameters)
    sizes = artefact.manifest.sizes
    say(
        f"{out}: {sizes.users:,} users, {sizes.items:,} anime, {sizes.scored:,} scores, "
        f"{sizes.neighbours:,} neighbours, version {artefact.version}"
    )
