"""How much the served app bears, and what it does when something around it fails. Linux only."""

from flask import Flask


def create_hello() -> Flask:
    """What the served app is held against: an application that answers every request with one line."""
    app = Flask(__name__)
    app.add_url_rule("/<path:path>", view_func=lambda **_: "Hello, world!\n", endpoint="hello", methods=["GET", "POST"])
    return app
