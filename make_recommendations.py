"""The use case: from a username or a list to ranked recommendations; also a command line.

python make_recommendations.py USERNAME --source mal -n 10
python make_recommendations.py --file animelist.xml.gz --format json
"""

import hashlib
import logging
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import click

from hakken.bundle import ModelBundle
from hakken.cli.options import preference_options, preferences_of
from hakken.cli.output import FORMATS
from hakken.cli.plain_errors import plain_errors
from hakken.config import Settings
from hakken.errors import ModelError
from hakken.files import cache_directory
from hakken.lists import mal_export
from hakken.model import store
from hakken.model.current_version import CURRENT_NAME
from hakken.ratings import Preferences, Recommendations, Site, UserList, Username
from hakken.recommend import recommend
from hakken.registry.fetch import fetch
from hakken.registry.storage import BUCKET_SCHEME, DirectoryStore, ObjectStore
from hakken.sites.client import HttpClient
from hakken.sites.list_sources import ListSources

log = logging.getLogger("hakken")

SITE = click.Choice([site.value for site in Site])
EXPORT = click.Path(exists=True, dir_okay=False, path_type=Path)
MAX_NAME_LENGTH = 200
"""Characters of a directory's name that all file systems allow."""
UNPACKED_RATIO = 5
"""Largest ratio of an export's unpacked size to its upload limit."""


def make_recommendations(
    who: Username | UserList,
    bundle: ModelBundle,
    sources: ListSources,
    preferences: Preferences,
    today: date | None = None,
) -> Recommendations:
    """Recommend to someone, whose list is fetched first when only a username is given.

    Args:
        who: whose list, or the list.
        bundle: model and catalogue.
        sources: fetch a list.
        preferences: what they chose.
        today: titles that start later are marked as announced; by default the current date, UTC.

    Raises:
        SourceError: the list could not be fetched.
    """
    return recommend(sources.fetch(who), bundle, preferences, today or datetime.now(UTC).date())


def open_store(model: str) -> ObjectStore:
    """The object store that a setting names: a bucket, or a directory.

    Raises:
        StorageError: the address is invalid, or the bucket can't be used.
    """
    if not model.startswith(BUCKET_SCHEME):
        return DirectoryStore.at(model)
    # Google's client takes half a second to load, which a model on disk should not wait for.
    from create_gcs_local_file import Bucket  # noqa: PLC0415  # takes 0.5 s to load

    return Bucket(model)


def mirror_directory(settings: Settings) -> Path:
    """Where this machine keeps the versions that it has fetched of the model that is served."""
    model = settings.model
    name = quote(model if model.startswith(BUCKET_SCHEME) else str(DirectoryStore.at(model)), safe="")
    if len(name) > MAX_NAME_LENGTH:
        name = f"{name[:MAX_NAME_LENGTH]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return cache_directory(settings.cache_dir) / "models" / name


def open_bundle(settings: Settings) -> ModelBundle:
    """Open what `settings.model` names; from a bucket it is fetched first.

    When the bucket has no usable version, the one that was fetched from it last is opened instead.

    Raises:
        ModelError: it can't be fetched or can't be used.
    """
    if settings.model == store.EMBEDDED:
        return ModelBundle.read(store.open_artefact(store.EMBEDDED))
    if not settings.model.startswith(BUCKET_SCHEME):
        return ModelBundle.read(store.open_artefact(DirectoryStore.at(settings.model).root))
    versions = mirror_directory(settings)
    try:
        fetch(open_store(settings.model), versions, accept=ModelBundle.read)
    except ModelError as error:
        if not (versions / CURRENT_NAME).exists():
            raise
        log.error("Serving the model fetched last, since %s", error)  # noqa: TRY400  # a sentence, no traceback
    return ModelBundle.read(store.open_artefact(versions))


def read_export(file: BinaryIO, settings: Settings) -> UserList:
    """Parse MyAnimeList's export, up to the size that the settings allow.

    Raises:
        ExportError: it can't be used.
    """
    packed = settings.max_upload_mb * 2**20
    return mal_export.parse(file, max_packed=packed, max_unpacked=UNPACKED_RATIO * packed)


@click.command()
@click.argument("username", required=False)
@click.option("--file", "export", type=EXPORT, help="MyAnimeList's export, .xml or .xml.gz.")
@click.option("--source", type=SITE, default=Site.MAL.value, show_default=True, help="The username's site.")
@preference_options
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="table", show_default=True)
def main(
    username: str | None,
    export: Path | None,
    source: str,
    form: str,
    **chosen: Any,  # noqa: ANN401  # one for each of the shared options
) -> None:
    """Recommend anime to USERNAME, or to whoever exported the list in --file."""
    if (username is None) == (export is None):
        raise click.UsageError("Give either a USERNAME or --file.")
    with plain_errors():
        settings = Settings.from_environ(os.environ)
        who: Username | UserList
        if export is not None:
            with export.open("rb") as file:
                who = read_export(file, settings)
        else:
            who = Username(username or "", Site(source))
        bundle = open_bundle(settings)
        sources = ListSources.from_settings(settings, HttpClient.from_settings(settings))
        result = make_recommendations(who, bundle, sources, preferences_of(chosen))
    click.echo(FORMATS[form](result, bundle), nl=False)
    if form == "csv":  # CSV has no field for them
        for note in result.notes:
            click.echo(note, err=True)


if __name__ == "__main__":
    main()
