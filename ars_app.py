"""The Flask application, composed here and nowhere else; gunicorn runs "ars_app:create_app()"."""

import logging
import os
from collections.abc import Callable
from functools import partial

from flask import Flask

from hakken import web
from hakken.config import Settings
from hakken.details import Details
from hakken.errors import ModelError
from hakken.http import HttpClient
from hakken.knowledge import Knowledge
from hakken.ratings import Preferences, Recommendations, UserList, Username
from hakken.sources import Sources
from make_recommendations import make_recommendations, open_knowledge, read_export

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
        knowledge: by default what the settings name. When that can't be opened the application still starts: it is
            alive, says on every page and at `/readyz` that it is not ready, and why.
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
    current = _always(knowledge) if knowledge else _opened(settings)

    def use_case(who: Username | UserList, preferences: Preferences) -> Recommendations:
        knowledge = current()  # first: without it, no site need be asked
        user_list = lists.fetch(who) if isinstance(who, Username) else who
        with metrics.stage("recommend"):
            return make_recommendations(user_list, knowledge, lists, preferences)

    app = Flask(__name__)
    parse = partial(read_export, settings=settings)
    web.register(app, web.Services(settings, use_case, lists.fetch, current, parse, facts), metrics)
    return app


def _opened(settings: Settings) -> Callable[[], Knowledge]:
    try:
        knowledge = open_knowledge(settings)
    except ModelError as error:
        log.error("The model %s can't be served: %s", settings.model, error)  # noqa: TRY400  # a sentence, no traceback
        kind, message = type(error), str(error)

        def refuse() -> Knowledge:
            raise kind(message)

        return refuse
    return _always(knowledge)


def _always(knowledge: Knowledge) -> Callable[[], Knowledge]:
    return lambda: knowledge
