"""The real application with one more page: which modules the worker that answers has loaded."""

import sys

from flask import Flask

from ars_app import create_app


def create_probed_app() -> Flask:
    app = create_app()
    app.add_url_rule("/modules", view_func=lambda: {"modules": sorted(sys.modules)})
    return app
