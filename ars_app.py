"""The Flask application, composed here and nowhere else; gunicorn runs "ars_app:create_app()"."""

import logging
import os
from functools import partial

from flask import Flask

from hakken import web
from hakken.config import Settings
from hakken.details import Details
from hakken.errors import ModelError, StorageError
from hakken.files import private_directory
from hakken.http import HttpClient
from hakken.knowledge import Knowledge
from hakken.living import Current, Fixed, Living
from hakken.model.mirror import Mirror
from hakken.model.places import BUCKET_SCHEME
from hakken.model.store import EMBEDDED
from hakken.ratings import Preferences, Recommendations, UserList, Username
from hakken.sources import Sources
from make_recommendations import make_recommendations, mirrored, open_knowledge, place_of, read_export

log = logging.getLogger("hakken")


def create_app(
    settings: Settings | None = None,
    *,
    knowledge: Knowledge | None = None,
    sources: Sources | None = None,
    details: web.Details | None = None,
) -> Flask:
    """Compose the application.

    Args:
        settings: by default those of the environment.
        knowledge: by default what the settings name, replaced whenever there is a new version of it. While there is
            none the application is alive, and says on every page and at `/readyz` that it is not ready, and why.
        sources: by default those that the settings name.
        details: facts about titles that the catalogue lacks; by default from whom the settings name.

    Raises:
        ConfigError: a setting is unknown or ill-typed.
    """
    settings = settings or Settings.from_environ(os.environ)
    metrics = web.Metrics()
    http = HttpClient.from_settings(settings, metrics)
    lists = sources or Sources.from_settings(settings, http, metrics)
    facts = details or Details.from_settings(settings, http, metrics)
    current = Fixed(knowledge) if knowledge else _current(settings)
    # A request that asks twice must not get two versions.
    pinned = web.once_a_request(current.knowledge)

    def use_case(who: Username | UserList, preferences: Preferences) -> Recommendations:
        knowledge = pinned()  # first: without it, no site need be asked
        user_list = lists.fetch(who) if isinstance(who, Username) else who
        with metrics.stage("recommend"):
            return make_recommendations(user_list, knowledge, lists, preferences)

    app = Flask(__name__)
    parse = partial(read_export, settings=settings)
    web.register(app, web.Services(settings, use_case, lists.fetch, pinned, parse, facts, current.news), metrics)
    return app


def _current(settings: Settings) -> Current:
    try:
        if settings.model == EMBEDDED:
            return Fixed(open_knowledge(settings))
        root = private_directory(mirrored(settings))
        if root is None:
            raise StorageError("There is no place to keep models in that can be written to.")
        mirror = Mirror(root, partial(place_of, settings.model), Knowledge.read)
    except ModelError as error:
        log.error("The model %s can't be served: %s", settings.model, error)  # noqa: TRY400  # a sentence, no traceback
        return Fixed(error)
    living = Living(mirror, settings.model_poll, web.warm)
    # A bucket may keep silent, in which time it is better to say so; a directory answers.
    living.start(patient=not settings.model.startswith(BUCKET_SCHEME))
    return living
