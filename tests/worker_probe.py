"""What a worker that answers can be asked about itself."""

import os
import sys

from flask import Flask

from ars_app import create_app
from hakken.config import Settings


def create_probed_app() -> Flask:
    """The real application with one more page: which modules the worker has loaded."""
    app = create_app()
    app.add_url_rule("/modules", view_func=lambda: {"modules": sorted(sys.modules)})
    return app


def create_threads_app() -> Flask:
    """An application that says how many threads the real one would think to have."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: str(Settings.from_environ(os.environ).threads))
    return app
