"""The Flask application, composed here and nowhere else; gunicorn runs "ars_app:create_app()"."""

import os
import sys
import tempfile
from functools import partial
from http import HTTPStatus
from pathlib import Path

from flask import Flask

from hakken import web
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import ArtefactCorrupt, HakkenError, StorageError
from hakken.files import shipped, temporary_directory
from hakken.lists import uploads
from hakken.model import store
from hakken.ratings import Preferences, Recommendations, UserList, Username
from hakken.registry.trial import PASSED, limit_process
from hakken.served_model import ServedModel, serve_model
from hakken.sites.client import HttpClient
from hakken.sites.facts import AnimeFacts
from hakken.sites.list_sources import ListSources
from make_recommendations import make_recommendations

TRIED = (
    *("/readyz", "/", "/picks?q=a", "/taste?sample=1", "/recommendations?sample=1"),
    *("/recommendations?sample=1&order=predicted_rating", "/together?sample=1&with_sample=1"),
)
"""The pages that a version must be able to give before it is served."""


def create_app(
    settings: Settings | None = None,
    *,
    bundle: ModelBundle | None = None,
    sources: ListSources | None = None,
) -> Flask:
    """Compose the application.

    Args:
        settings: by default those of the environment.
        bundle: by default what the settings name, replaced whenever there is a new version of it. While there is
            none the application is alive, and reports on every page and at `/readyz` that it is not ready, and why.
        sources: by default those that the settings name.

    Raises:
        ConfigError: a setting is unknown or ill-typed.
    """
    settings = settings or Settings.from_environ(os.environ)
    metrics = web.Metrics()
    http = HttpClient.from_settings(settings, metrics)
    lists = sources or ListSources.from_settings(settings, http, metrics)
    facts = AnimeFacts.from_settings(settings, http, metrics)
    current = ServedModel(bundle) if bundle else serve_model(settings, web.warm)
    # One request must not see two versions.
    current_bundle = web.once_per_request(current.bundle)

    def use_case(who: Username | UserList, preferences: Preferences) -> Recommendations:
        bundle = current_bundle()  # first: without it, no site need be asked
        user_list = lists.fetch(who)
        with metrics.stage("recommend"):
            return make_recommendations(user_list, bundle, lists, preferences)

    app = Flask(__name__, template_folder=shipped("templates"), static_folder=shipped("static"))
    parse = partial(uploads.parse, max_packed=settings.max_upload_mb * 2**20)
    behind = (use_case, lists.fetch, current_bundle, parse, facts.known, facts.want, current.status, lists.find)
    web.register(app, web.Services(settings, *behind), metrics)
    return app


def try_version(directory: Path) -> None:
    """Give the pages of a version to this process alone.

    Raises:
        ArtefactCorrupt: one of them fails.
        Exception: whatever else comes of a version that nobody can open.
    """
    bundle = ModelBundle.read(store.read_manifest(directory))
    web.warm(bundle)
    anime_ids = [bundle.catalogue[anime_id].anime_id for anime_id in bundle.catalogue]  # each is decoded
    with tempfile.TemporaryDirectory(dir=temporary_directory()) as cache:
        client = create_app(Settings(cache_dir=cache, facts_source="off"), bundle=bundle).test_client()
        for path in (*TRIED, *(f"/anime/{anime_id}" for anime_id in anime_ids[:1])):
            status = client.get(path).status_code
            if status != HTTPStatus.OK:
                raise ArtefactCorrupt(f"its page {path} has status {status}.")


def main(directory: Path) -> str | int | None:
    """The command line: what `sys.exit` says of a version, see `hakken.registry.trial`."""
    limit_process(directory)
    try:
        try_version(directory)
    except (StorageError, OSError) as error:  # a full disk, too many open files: not the version's fault
        sys.stderr.write(f"{error}\n")  # for the process that started this one
        return os.EX_TEMPFAIL
    except HakkenError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  # whatever it is, no worker may meet it
        return f"{type(error).__name__}: {error}"
    sys.stdout.write(PASSED)
    return None


if __name__ == "__main__":
    if len(sys.argv[1:]) != 1:
        sys.exit("This file tries the model in a DIRECTORY; the server is started with: python -m hakken serve")
    sys.exit(main(Path(sys.argv[1])))
