"""`/metrics`: for whoever has the token that the settings name, and not there where they name none.

Whether a request comes from this machine says nothing about who sent it: behind a proxy on the same machine, all do. So
a token decides, which Prometheus sends by itself when its configuration names one.
"""

import hmac

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from hakken.config import Settings
from hakken.web.seeing.metrics import Metrics


def metrics_page(settings: Settings, metrics: Metrics) -> Blueprint:
    """Make the page."""
    page = Blueprint("metrics", __name__)
    token = settings.metrics_token.encode()

    @page.get("/metrics")
    def show() -> ResponseReturnValue:
        """Show the metrics of all workers."""
        if not token:
            abort(404)
        given = request.authorization
        said = (given.token or "").encode() if given and given.type == "bearer" else b""
        if not hmac.compare_digest(said, token):
            return Response(
                "This needs the token of HAKKEN_METRICS_TOKEN.\n",
                401,
                {"WWW-Authenticate": "Bearer"},
                mimetype="text/plain",
            )
        return Response(metrics.written(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return page
