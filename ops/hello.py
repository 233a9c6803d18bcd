"""What the served app is held against: a route that says hello, on the same gunicorn."""

from flask import Flask


def create_hello() -> Flask:
    """An application that answers every request with one line."""
    app = Flask(__name__)
    app.add_url_rule("/<path:path>", view_func=lambda **_: "Hello, world!\n", endpoint="hello", methods=["GET", "POST"])
    return app
