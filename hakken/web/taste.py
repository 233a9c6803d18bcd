"""What a list says about its owner's taste."""

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from hakken.web.asking import read_asked

taste = Blueprint("taste", __name__)


@taste.route("/taste", methods=["GET", "POST"])
def show() -> ResponseReturnValue:
    """Lead to the recommendations."""
    asked = read_asked(request.values, request if request.method == "POST" else None)
    return redirect(asked.address("pages.recommendations"))
