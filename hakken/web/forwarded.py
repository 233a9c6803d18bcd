"""Headers that say where a request comes from and where it was sent, and how far they are believed.

A proxy names the client, the scheme and the prefix below which it serves; `Host` is the client's own word. What is not
well-formed never gets into a link, a redirect or a count.
"""

import ipaddress
import logging
import re
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import BadHost
from werkzeug.middleware.proxy_fix import ProxyFix

from hakken.config import is_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_WITH_PORT = re.compile(r"\[(.+)\](?::[0-9]*)?|([0-9.]+):[0-9]*")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(
    rf"(?:(?=[^:]{{1,253}}(?:\Z|:)){_LABEL}(?:\.{_LABEL})*\.?|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[1-9][0-9]{{0,4}}))?",
    re.IGNORECASE,
)
"""Underscores are in names of containers and of nginx's upstreams, which proxies send."""
_MAX_PORT = 65535

log = logging.getLogger("hakken.guard")


def trust_proxies(app: Flask, number: int) -> None:
    """Take a visitor's address, scheme and prefix from the headers that the last `number` proxies wrote, no others.

    The host is not taken from them: most proxies don't set it.
    """
    if number:
        app.wsgi_app = ProxyFix(_well_formed(app.wsgi_app), x_for=number, x_proto=number, x_host=0, x_prefix=number)  # type: ignore[method-assign]  # as Flask documents
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


def _well_formed(app: "WSGIApplication") -> "WSGIApplication":
    """Middleware below `ProxyFix` that puts back what the server said where a header's value can't be used."""

    def checked(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        before = environ["werkzeug.proxy_fix.orig"]
        scheme, prefix = environ["wsgi.url_scheme"].lower(), environ.get("SCRIPT_NAME", "")
        environ["wsgi.url_scheme"] = scheme if scheme in {"http", "https"} else before["wsgi.url_scheme"]
        environ["SCRIPT_NAME"] = prefix.rstrip("/") if is_prefix(prefix) else before["SCRIPT_NAME"] or ""
        return app(environ, start_response)

    return checked


def parsed_address(text: str | None) -> IpAddress | None:
    """An IP address as proxies write it, perhaps with a port; None for anything else.

    The same client is the same address, also where it is an IPv4 address in IPv6's notation.
    """
    text = (text or "").strip()
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((found[1] or found[2]) if found else text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def is_host(text: str) -> bool:
    """Whether this is a host, perhaps with a port, as RFC 3986 has them, less what no name or address looks like."""
    found = _HOST.fullmatch(text)
    if not found or int(found["port"] or 1) > _MAX_PORT:
        return False
    try:
        return not found["ipv6"] or ipaddress.IPv6Address(found["ipv6"]) is not None
    except ValueError:
        return False


def refuse_invalid_hosts(app: Flask) -> None:
    """Refuse requests whose `Host` is no host, which links and redirects would otherwise be made of.

    HTTP/1.0 has requests without one.
    """

    def refuse() -> None:
        host = request.environ.get("HTTP_HOST")
        if host is not None and not is_host(host):
            raise BadHost

    app.before_request(refuse)
