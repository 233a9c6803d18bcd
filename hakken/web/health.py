"""Health checks: is the process alive, and can it recommend?"""

from datetime import UTC, datetime

import msgspec
from flask import Blueprint
from flask.typing import ResponseReturnValue

from hakken import errors
from hakken.ratings import Site
from hakken.web.error_pages import RETRY_AFTER
from hakken.web.services import services

health = Blueprint("health", __name__)

REASONS = {
    errors.ArtefactMissing: "There is no model where the settings say.",
    errors.ArtefactCorrupt: "The model is damaged.",
    errors.ArtefactTooNew: "The model was made by a later Hakken, which this one can't read: upgrade this one.",
    errors.RefusedAsTooNew: "The model was made by a later Hakken, which this one can't read: upgrade this one.",
    errors.ArtefactRefused: "The model was found unusable before.",
    errors.ModelPending: "The model is still being fetched.",
    errors.StorageError: "The storage that holds the model could not be used.",
}
"""Why there is no model, or no newer one, without paths, which the log has."""
STILL_SERVED = " This server goes on with the version that it has."


@health.get("/healthz")
def alive() -> ResponseReturnValue:
    """Respond as long as the process is alive."""
    return {"status": "alive"}


@health.get("/readyz")
def ready() -> ResponseReturnValue:
    """Report whether there is a model, which, how old, and which sites are asked for lists and facts."""
    settings = services().settings
    status = services().model_status()
    reason = status.failed and f"{_reason(status.failed)}{STILL_SERVED if status.loaded else ''}"
    told = {
        "latest": {  # when the latest version was last checked for, and why it is not served, if it is not
            "looked": _timestamp(status.looked),
            "failed": status.failed is not None,
            "reason": reason,
        },
        "usernames": {Site.MAL: list(settings.mal_sources), Site.ANILIST: ["anilist"]},
        "facts": settings.facts_from,
    }
    try:
        model = services().bundle().model
    except errors.ModelError as error:
        return {"status": "not ready", "reason": _reason(error), **told}, 503, {"Retry-After": RETRY_AFTER}
    created = model.manifest.created
    age = int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds())
    loaded = {
        "version": model.version,
        "trained": created,
        "data_time": model.manifest.data_time,
        "age_seconds": max(0, age),  # a clock may be wrong
        "loaded": _timestamp(status.loaded),
        "judgement": model.manifest.judgement and msgspec.to_builtins(model.manifest.judgement),
    }
    return {"status": "ready", "model": loaded, **told}


def _reason(error: errors.ModelError) -> str:
    return REASONS.get(type(error), "The model can't be opened.")


def _timestamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
