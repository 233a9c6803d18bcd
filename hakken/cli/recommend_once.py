"""The command line of `make_recommendations.py`: recommendations for one username or export."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hakken.cli.options import FILE, names_option, preference_options, preferences_of
from hakken.cli.output import FORMATS, as_table
from hakken.cli.plain_errors import plain_errors
from hakken.config import Settings
from hakken.lists import uploads
from hakken.ratings import Order, Recommendations, Site, TitleNames, UserList, Username
from hakken.served_model import open_bundle
from hakken.sites.client import HttpClient
from hakken.sites.list_sources import ListSources

SITE = click.Choice([site.value for site in Site])


def command(make_recommendations: Callable[..., Recommendations]) -> click.Command:
    """The command, given the use case."""

    @click.command()
    @click.argument("username", required=False)
    @click.option("--file", "export", type=FILE, help="A list file: .xml, .json, .gz or .zip.")
    @click.option("--source", type=SITE, default=Site.MAL.value, show_default=True, help="The username's site.")
    @preference_options
    @names_option
    @click.option("--format", "form", type=click.Choice(["table", *FORMATS]), default="table", show_default=True)
    def main(
        username: str | None,
        export: Path | None,
        source: str,
        names: str,
        form: str,
        **chosen: Any,  # noqa: ANN401  # one for each of the shared options
    ) -> None:
        """Recommend anime to USERNAME, or to whoever exported the list in --file."""
        if (username is None) == (export is None):
            raise click.UsageError("Give either a USERNAME or --file.")
        with plain_errors():
            settings = Settings.from_environ(os.environ)
            who: Username | UserList
            if export is None:
                who = Username(username or "", Site(source))
            else:
                with export.open("rb") as file:
                    who = uploads.parse(file, max_packed=settings.max_upload_mb * 2**20)
            bundle = open_bundle(settings).named(TitleNames(names))
            sources = ListSources.from_settings(settings, HttpClient.from_settings(settings))
            preferences = preferences_of(chosen)
            result = make_recommendations(who, bundle, sources, preferences)
        if form == "table":
            text = as_table(result, bundle.catalogue, by_match=preferences.order is Order.MATCH)
            click.echo(text, nl=False)
        else:
            click.echo(FORMATS[form](result, bundle).encode(), nl=False)  # UTF-8, whatever the terminal is
        if form == "csv":  # CSV has no field for them
            for note in result.notes:
                click.echo(note, err=True)

    return main
