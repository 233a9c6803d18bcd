"""External addresses that a page may show: pictures of listed origins, and pages of known streaming services.

Facts come from sites that take them from anyone: an address that is not certainly one of these is left out.
"""

from collections.abc import Container, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from hakken.catalogue import Link
from hakken.config import origin_of

SERVICES = {
    "Crunchyroll": ("crunchyroll.com",),
    "Netflix": ("netflix.com",),
    "Hulu": ("hulu.com",),
    "Prime Video": (
        "primevideo.com",
        *(f"amazon.{end}" for end in ("com", "co.uk", "co.jp", "de", "fr", "it", "es", "ca", "com.au", "com.br", "in")),
    ),
    "Disney+": ("disneyplus.com",),
    "HIDIVE": ("hidive.com",),
    "Funimation": ("funimation.com",),
    "YouTube": ("youtube.com", "youtu.be"),
    "Bilibili": ("bilibili.com", "bilibili.tv"),
    "Max": ("max.com", "hbomax.com"),
    "Tubi": ("tubitv.com",),
    "Apple TV": ("tv.apple.com",),
    "iQIYI": ("iq.com",),
    "ADN": ("animationdigitalnetwork.com", "animationdigitalnetwork.fr", "animationdigitalnetwork.de"),
}
"""Streaming services by their registered domains. The names are ours, so that a link says where it leads."""

_SERVICE_OF = {domain: name for name, domains in SERVICES.items() for domain in domains}


class Watch(NamedTuple):
    """Where a title can be watched: the service's name, and an address that may be shown."""

    service: str
    url: str


def picture_address(url: str | None, origins: Container[str]) -> str | None:
    """The normalised address of a picture if it is of one of the origins; otherwise None.

    Args:
        url: as a site gave it.
        origins: as `Settings.pictures_from` has them; the pages' Content-Security-Policy allows the same.
    """
    origin = origin_of(url or "")
    return _normalised(origin, url or "") if origin is not None and origin in origins else None


def watch_links(links: Iterable[Link]) -> list[Watch]:
    """The links that lead to a known service by https, each service once."""
    found: dict[str, Watch] = {}
    for link in links:
        origin = origin_of(link.url)
        service = _service(origin) if origin else None
        if origin and service:
            found.setdefault(service, Watch(service, _normalised(origin, link.url)))
    return list(found.values())


def _service(origin: str) -> str | None:
    """The service to which an https origin at the default port belongs, by its domain or a parent domain."""
    scheme, _, host = origin.partition("://")
    labels = host.split(".")
    parents = (".".join(labels[start:]) for start in range(len(labels)))
    return next((_SERVICE_OF[one] for one in parents if one in _SERVICE_OF), None) if scheme == "https" else None


def _normalised(origin: str, url: str) -> str:
    parts = urlsplit(url)
    return origin + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
