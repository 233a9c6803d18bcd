"""Headers that tell browsers what a page may do, which is little; and https where the settings say so.

flask-talisman, which does much the same, makes the policy anew for each answer, and takes anyone's X-Forwarded-Proto
for that of a proxy.
"""

from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue

from hakken.config import Settings

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src {pictures}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NEVER = ("camera", "display-capture", "geolocation", "microphone", "payment", "publickey-credentials-get", "usb")
"""What no page of ours asks a browser for."""
HSTS = "max-age=31536000"
"""For a year, and for this host alone: of others under the same name we know nothing."""
PLAIN = frozenset(("health.alive", "health.ready", "metrics.show"))
"""What is asked for from within, where there may be no https."""


def secure_headers(app: Flask, settings: Settings) -> None:
    """Send the headers with every answer; raises ConfigError where pictures may come from what is no origin."""
    pictures = " ".join(("'self'", *settings.pictures_from))
    headers = {
        "Content-Security-Policy": POLICY.format(pictures=pictures),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in NEVER),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }

    def add(response: Response) -> Response:
        response.headers.extend(headers)  # which, unlike `update`, doesn't look for what was there: nothing was
        public = request.endpoint == "static" or response.cache_control.public
        # What is the same for everyone may be shown anywhere; a page may hold someone's name and list.
        response.headers.add("Cross-Origin-Resource-Policy", "cross-origin" if public else "same-origin")
        if not public:
            response.cache_control.private = True  # it is theirs, not a shared cache's
        return response

    app.after_request(add)


def secure_transport(app: Flask) -> None:
    """Send visitors who come without TLS to https, and have browsers remember it."""

    def send() -> ResponseReturnValue | None:
        if request.is_secure or request.endpoint in PLAIN:
            return None
        return redirect(request.url.replace("http://", "https://", 1), 308)  # which keeps the method and the body

    def remember(response: Response) -> Response:
        if request.is_secure:  # or browsers don't believe it
            response.headers["Strict-Transport-Security"] = HSTS
        return response

    app.before_request(send)
    app.after_request(remember)
