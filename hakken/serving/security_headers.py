"""Security headers of all responses: of the application's, and of those that gunicorn gives by itself.

flask-talisman, which sets much the same headers, builds the policy anew for each response and takes anyone's
X-Forwarded-Proto for that of a proxy.
"""

from collections.abc import Iterable

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src {pictures}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DENIED = ("camera", "display-capture", "geolocation", "microphone", "payment", "publickey-credentials-get", "usb")
"""Browser features that no page uses."""
RESOURCE_POLICY = "Cross-Origin-Resource-Policy"
"""Header that says who may embed a response, which depends on whether it is the same for everyone."""
PRIVATE = "same-origin"


def security_headers(picture_origins: Iterable[str] = ()) -> dict[str, str]:
    """The headers, except `RESOURCE_POLICY`."""
    return {
        "Content-Security-Policy": POLICY.format(pictures=" ".join(("'self'", *picture_origins))),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in DENIED),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
