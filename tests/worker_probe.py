"""What a worker that answers can be asked about itself."""

import os
import sys
import time
from typing import Any

from flask import Flask
from threadpoolctl import threadpool_info

from ars_app import create_app
from hakken.config import Settings
from hakken.model import manifest
from hakken.registry import sync
from hakken.serving import worker
from hakken.serving.logs import QuietAccessLogger
from hakken.serving.worker import Worker


def create_probed_app() -> Flask:
    """The real application with two more pages: which modules the worker has loaded, and its pools of threads."""
    app = create_app()
    app.add_url_rule("/modules", view_func=lambda: {"modules": sorted(sys.modules)})
    app.add_url_rule("/pools", "pools", lambda: {one["filepath"]: one["num_threads"] for one in threadpool_info()})
    return app


def create_schema_3_app() -> Flask:
    """The real application of a Hakken that reads schema 3 and no later one, as those before it did."""
    manifest.SCHEMA_VERSION = 3
    sync.READER = "0.0.1/3"
    return create_app()


def create_threads_app() -> Flask:
    """An application that says how many threads the real one would think to have."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: str(Settings.from_environ(os.environ).threads))
    app.add_url_rule("/healthz", "alive", lambda: "")
    return app


def create_slow_app() -> Flask:
    """An application that takes its time, and says which process answers."""
    app = Flask(__name__)

    @app.get("/<float:seconds>")
    def slow(seconds: float) -> str:
        time.sleep(seconds)
        return str(os.getpid())

    app.add_url_rule("/healthz", "alive", lambda: "")
    return app


def create_hurried_app() -> Flask:
    """An application whose worker waits for a request's head for a second."""
    worker.HEAD_SECONDS = 1.0
    app = Flask(__name__)
    app.add_url_rule("/healthz", "alive", lambda: "")
    return app


class SlowToStart(Worker):
    """A worker that hears no signal for a while: on a busy machine any may be so."""

    def init_process(self) -> None:
        """Serve, some seconds later."""
        time.sleep(10)
        super().init_process()


class SlowToTell(QuietAccessLogger):
    """A log in which a worker is slow to tell that it is there, which is the first that it does."""

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Tell it, some seconds later."""
        if msg.startswith("Booting"):
            time.sleep(3)
        super().info(msg, *args, **kwargs)
