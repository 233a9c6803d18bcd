"""The use case: from a username or a list to ranked recommendations; also a command line.

python make_recommendations.py USERNAME --source mal -n 10
python make_recommendations.py --file animelist.xml.gz --format json
"""

import logging
import os
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import click

from hakken.cli.options import preference_options, preferences_of
from hakken.cli.output import FORMATS
from hakken.cli.speaking import plain_errors
from hakken.config import Settings
from hakken.errors import ModelError
from hakken.files import cache_directory
from hakken.http import HttpClient
from hakken.knowledge import Knowledge
from hakken.model import store
from hakken.ratings import Preferences, Recommendations, Site, UserList, Username
from hakken.recommend import recommend
from hakken.sources import Sources, mal_export

log = logging.getLogger("hakken")

SITE = click.Choice([site.value for site in Site])
EXPORT = click.Path(exists=True, dir_okay=False, path_type=Path)
UNPACKED_RATIO = 5
"""How many times its upload's size an export may unpack to, at most."""


def make_recommendations(
    who: Username | UserList, knowledge: Knowledge, sources: Sources, preferences: Preferences
) -> Recommendations:
    """Recommend to someone, whose list is fetched first when only a username is given.

    Raises:
        BadUsername: the site can't have such a user.
        SourceError: the list could not be had.
    """
    user_list = sources.fetch(who) if isinstance(who, Username) else who
    return recommend(user_list, knowledge, preferences)


def open_knowledge(settings: Settings) -> Knowledge:
    """Open what `settings.model` names, fetching it first when it is in a bucket.

    When the bucket has nothing that can be used, the version that was fetched from it last is opened instead.

    Raises:
        ModelError: it can't be had or can't be used.
    """
    if not settings.model.startswith("gs://"):
        return Knowledge.read(store.open_artefact(settings.model))
    # Google's client takes half a second to load, which a model on disk should not wait for.
    from create_gcs_local_file import fetch  # noqa: PLC0415  # as said

    versions = cache_directory(settings.cache_dir) / "models" / quote(settings.model, safe="")
    try:
        fetch(settings.model, versions)
    except ModelError as error:
        if not (versions / store.POINTER_NAME).exists():
            raise
        log.error("Serving the model fetched last, since %s", error)  # noqa: TRY400  # a sentence, no traceback
    return Knowledge.read(store.open_artefact(versions))


def read_export(file: BinaryIO, settings: Settings) -> UserList:
    """Read MyAnimeList's export, no further than the settings allow.

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
        knowledge = open_knowledge(settings)
        sources = Sources.from_settings(settings, HttpClient.from_settings(settings))
        result = make_recommendations(who, knowledge, sources, preferences_of(chosen))
    click.echo(FORMATS[form](result, knowledge), nl=False)
    if form == "csv":  # which has no place for them
        for note in result.notes:
            click.echo(note, err=True)


if __name__ == "__main__":
    main()
