"""The Flask application, composed here and nowhere else; gunicorn runs "ars_app:create_app()"."""

import logging
import os
from functools import partial
from pathlib import Path

from flask import Flask

from hakken import web
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import ModelError, StorageError
from hakken.files import is_ours, make_private, private_directory
from hakken.model.current_version import CURRENT_NAME
from hakken.model.store import EMBEDDED
from hakken.ratings import Preferences, Recommendations, UserList, Username
from hakken.registry.storage import BUCKET_SCHEME, ObjectStore
from hakken.registry.sync import Mirror
from hakken.served_model import FixedModel, ReloadingModel
from hakken.sites.client import HttpClient
from hakken.sites.facts import AnimeFacts
from hakken.sites.list_sources import ListSources
from make_recommendations import make_recommendations, mirror_directory, open_bundle, open_store, read_export

log = logging.getLogger("hakken")


def create_app(
    settings: Settings | None = None,
    *,
    bundle: ModelBundle | None = None,
    sources: ListSources | None = None,
    details: web.Details | None = None,
) -> Flask:
    """Compose the application.

    Args:
        settings: by default those of the environment.
        bundle: by default what the settings name, replaced whenever there is a new version of it. While there is
            none the application is alive, and reports on every page and at `/readyz` that it is not ready, and why.
        sources: by default those that the settings name.
        details: facts about titles that the catalogue lacks; by default from the site that the settings name.

    Raises:
        ConfigError: a setting is unknown or ill-typed.
    """
    settings = settings or Settings.from_environ(os.environ)
    metrics = web.Metrics()
    http = HttpClient.from_settings(settings, metrics)
    lists = sources or ListSources.from_settings(settings, http, metrics)
    facts = details or AnimeFacts.from_settings(settings, http, metrics)
    current = FixedModel(bundle) if bundle else _current(settings)
    # One request must not see two versions.
    current_bundle = web.once_per_request(current.bundle)

    def use_case(who: Username | UserList, preferences: Preferences) -> Recommendations:
        bundle = current_bundle()  # first: without it, no site need be asked
        user_list = lists.fetch(who)
        with metrics.stage("recommend"):
            return make_recommendations(user_list, bundle, lists, preferences)

    app = Flask(__name__)
    parse = partial(read_export, settings=settings)
    services = web.Services(settings, use_case, lists.fetch, current_bundle, parse, facts, current.status, lists.find)
    web.register(app, services, metrics)
    return app


def _current(settings: Settings) -> FixedModel | ReloadingModel:
    try:
        if settings.model == EMBEDDED:
            bundle = open_bundle(settings)
            bundle.warm()  # a worker gets several requests at once, and each would wait
            return FixedModel(bundle)
        mirror = _mirror(settings)
    except ModelError as error:
        log.error("The model %s can't be served: %s", settings.model, error)  # noqa: TRY400  # a sentence, no traceback
        return FixedModel(error)
    model = ReloadingModel(mirror, settings.model_poll, web.warm)
    # A bucket may be slow, and meanwhile pages should say so; a directory is not.
    model.start(patient=not settings.model.startswith(BUCKET_SCHEME))
    return model


def _mirror(settings: Settings) -> Mirror:
    chosen = mirror_directory(settings)
    try:
        _check_writable(chosen)
    except StorageError as error:
        # Serve the last good model rather than none, or a copy for each worker.
        if is_ours(chosen / CURRENT_NAME):
            log.warning("Serving the model that was fetched last: %s", error)
            return Mirror(chosen, partial(_store_if_writable, chosen, settings.model), ModelBundle.read)
    root = private_directory(chosen)
    if root is None:
        raise StorageError("There is no writable directory for models.")
    return Mirror(root, partial(open_store, settings.model), ModelBundle.read)


def _store_if_writable(root: Path, model: str) -> ObjectStore:
    """The store to fetch versions from, as soon as they can be stored here."""
    _check_writable(root)
    return open_store(model)


def _check_writable(root: Path) -> None:
    try:
        make_private(root)
    except OSError as error:
        raise StorageError(f"No other model can be stored in {root}: {error.strerror or error}.") from error
