"""Health checks: is the process alive, and can it recommend?"""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from hakken.errors import ArtefactCorrupt, ArtefactMissing, ArtefactTooNew, ModelError, StorageError
from hakken.ratings import Site
from hakken.web.services import services

health = Blueprint("health", __name__)


REASONS = {
    ArtefactMissing: "There is no model where the settings say.",
    ArtefactCorrupt: "The model is damaged.",
    ArtefactTooNew: "The model was made by a later Hakken.",
    StorageError: "The storage that has the model could not be used.",
}
"""Why there is no model, in words that tell a stranger no path; the log has the error's own."""


@health.get("/healthz")
def alive() -> ResponseReturnValue:
    """Answer as long as the process does."""
    return {"status": "alive"}


@health.get("/readyz")
def ready() -> ResponseReturnValue:
    """Say whether there is a model to recommend from, which, and which sites are asked for lists and facts."""
    settings = services().settings
    asked = {
        "usernames": {Site.MAL: list(settings.mal_sources), Site.ANILIST: ["anilist"]},
        "facts": settings.facts_from,
    }
    try:
        model = services().knowledge().model
    except ModelError as error:
        return {"status": "not ready", "reason": REASONS.get(type(error), "The model can't be opened."), **asked}, 503
    return {"status": "ready", "model": {"version": model.version}, **asked}
