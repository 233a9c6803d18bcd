"""python -m hakken inspect: describe an artefact and verify its checksums."""

from collections.abc import Iterator

import click
import msgspec

from hakken.bundle import ModelBundle
from hakken.cli.plain_errors import plain_errors
from hakken.errors import ArtefactCorrupt
from hakken.model import store
from hakken.model.manifest import Judgement


@click.command()
@click.argument("directory")
def inspect(directory: str) -> None:
    """Show the model in DIRECTORY (or `embedded`) and its sizes, and verify every checksum."""
    with plain_errors():
        location, manifest_sha256 = store.locate(directory)
        artefact = store.read_manifest(location, manifest_sha256)
        manifest = artefact.manifest
        click.echo(f"model      {artefact.version}")
        click.echo(f"place      {location}")
        click.echo(f"trained    {manifest.created} by Hakken {manifest.hakken_version}")
        click.echo(f"data time  {manifest.data_time or 'unknown'}")
        click.echo(f"schema     {manifest.schema_version}")
        click.echo(f"mu         {manifest.mu:.6f}")
        for title, values in (("sizes", manifest.sizes), ("parameters", manifest.parameters)):
            click.echo(title)
            for name, value in msgspec.structs.asdict(values).items():
                click.echo(f"  {name:<14}{value:>12,}")
        if made_from := manifest.made_from:
            click.echo(
                "made from" + (", without the tenth of the people who judge models" if made_from.held_out else "")
            )
            for part in made_from.parts:
                click.echo(f"  {part.option:<10}{part.name:<32}{part.bytes:>14,} bytes  {part.sha256[:16]}…")
        if judgement := manifest.judgement:
            for line in judgement_lines(judgement):
                click.echo(line)
        click.echo("files")
        verdicts = {name: _verdict(artefact, name) for name in manifest.files}
        for name, entry in manifest.files.items():
            click.echo(f"  {name:<20}{entry.bytes:>12,} bytes  {verdicts[name]}")
        if set(verdicts.values()) != {"ok"}:
            raise ArtefactCorrupt("The model is damaged: not every file matches the manifest.")
        bundle = ModelBundle.read(artefact)
    click.echo(f"checksums  correct; the model opens, and its catalogue holds {len(bundle.catalogue):,} titles")


def judgement_lines(judgement: Judgement) -> Iterator[str]:
    """A judgement as a table: a line for each measure, by its name."""
    yield f"judged by {judgement.people:,} people, beside {judgement.served}"
    yield f"  {'':<18}{'new':>8}{'served':>8}   95% interval of the difference"
    for name, one in judgement.measures.items():
        ends = "" if one.low is None else f"{one.low:+.3f} to {one.high:+.3f}"
        values = "".join(f"{'-' if value is None else f'{value:.3f}':>8}" for value in (one.new, one.served))
        yield f"  {name:<18}{values}   {ends}".rstrip()


def _verdict(artefact: store.Artefact, name: str) -> str:
    path = artefact.directory / name
    if not path.is_file():
        return "MISSING"
    return "ok" if store.describe_file(path) == artefact.manifest.files[name] else "DAMAGED"
