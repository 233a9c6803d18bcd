"""Health checks: is the process alive, and can it recommend?"""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from hakken.errors import ModelError
from hakken.web.services import services

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> ResponseReturnValue:
    """Answer as long as the process does."""
    return {"status": "alive"}


@health.get("/readyz")
def ready() -> ResponseReturnValue:
    """Say whether there is a model to recommend from, and which."""
    try:
        model = services().knowledge().model
    except ModelError as error:
        return {"status": "not ready", "reason": str(error)}, 503
    return {"status": "ready", "model": {"version": model.version}}
