"""Addresses: how long our own may be, and which from elsewhere a page may show.

Those are pictures of listed origins, and the pages of known services. Facts come from other sites, which take them from
anyone: what is not certainly one of these is left out.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import url_for

from hakken.catalogue import Link
from hakken.config import origin_of

LONGEST_ADDRESS = 3_500
"""Characters of an address that browsers, servers and messengers between them can be trusted with."""

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
"""Where anime can be watched, by the domains registered for it. The names are ours: a link says where it leads."""

_SERVICE_OF = {domain: name for name, domains in SERVICES.items() for domain in domains}


class Watch(NamedTuple):
    """Where a title can be watched: the service's name, and an address that may be shown."""

    service: str
    url: str


def fits(endpoint: str, fields: Mapping[str, Any]) -> bool:
    """Whether the whole address of a page of ours, with some fields, is short enough to be one."""
    return len(url_for(endpoint, **fields, _external=True)) <= LONGEST_ADDRESS


def picture_address(url: str | None, origins: Container[str]) -> str | None:
    """The address of a picture, spelt anew, if it is of one of the origins; else None.

    Args:
        url: as a site gave it.
        origins: as `Settings.pictures_from` has them, which is also what the pages' policy lets browsers load.
    """
    origin = origin_of(url or "")
    return _spelt(origin, url or "") if origin is not None and origin in origins else None


def watch_links(links: Iterable[Link]) -> list[Watch]:
    """The links that lead to a known service by https, each service once."""
    found: dict[str, Watch] = {}
    for link in links:
        origin = origin_of(link.url)
        service = _service(origin) if origin else None
        if origin and service:
            found.setdefault(service, Watch(service, _spelt(origin, link.url)))
    return list(found.values())


def _service(origin: str) -> str | None:
    """The service whose domain, or a domain of whose, an https origin at the usual port is."""
    scheme, _, host = origin.partition("://")
    labels = host.split(".")
    domains = (".".join(labels[start:]) for start in range(len(labels)))
    return next((_SERVICE_OF[one] for one in domains if one in _SERVICE_OF), None) if scheme == "https" else None


def _spelt(origin: str, url: str) -> str:
    parts = urlsplit(url)
    return origin + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
