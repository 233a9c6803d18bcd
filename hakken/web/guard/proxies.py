"""Whom to believe about a visitor's address and scheme: so many proxies as the settings say, and nobody else."""

import logging

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

log = logging.getLogger("hakken.guard")


def believe_proxies(app: Flask, number: int) -> None:
    """Take address and scheme from what the last proxies wrote: not the host, which most of them leave alone.

    What a visitor wrote into those headers comes before it, and is not looked at.
    """
    if number:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=number, x_proto=number, x_host=0)  # type: ignore[method-assign]  # so Flask has it
        return

    warned = False

    def warn() -> None:
        nonlocal warned
        if not warned and "X-Forwarded-For" in request.headers:
            warned = True
            log.warning(
                "A proxy seems to be in front, and HAKKEN_PROXIES is 0: all who come through it count as one client, "
                "or, where it is on this machine, are not limited at all."
            )

    app.before_request(warn)
