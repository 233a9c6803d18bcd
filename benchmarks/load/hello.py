"""What the served app is held against: a route that says hello, on the same gunicorn."""

from flask import Flask


def create_hello() -> Flask:
    """An application that answers every request that the suite makes with one line."""
    app = Flask(__name__)

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def hello(**_: str) -> str:
        return "Hello, world!\n"

    return app
