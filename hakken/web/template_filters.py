"""Filters and functions of the templates: facts as text, and external addresses that a page may show.

Those are pictures of listed origins, and pages of known streaming services. Facts come from sites that take them from
anyone: an address that is not certainly one of these is left out.
"""

import re
from collections.abc import Callable, Container, Hashable, Iterable
from threading import Lock
from typing import Any, cast
from urllib.parse import urlsplit

from cachetools import LRUCache, cached
from flask import g, url_for
from markupsafe import Markup, escape

from hakken.bundle import Facts, attributes_of
from hakken.catalogue import Anime, Link
from hakken.config import origin_of
from hakken.ratings import MAX_ANIME_ID, MAX_SCORE
from hakken.recommend.notes import counted

_FIRST_LETTER = re.compile(r"(?<![\w'\N{RIGHT SINGLE QUOTATION MARK}])[^\W\d_]")


def studio(name: str) -> str:
    """A studio's name, which the catalogue has in lower case, with capitals."""
    return _FIRST_LETTER.sub(lambda letter: letter[0].upper(), name) if name == name.lower() else name


def signed(form: str, value: float) -> str:
    """A number with its sign, − rather than a hyphen; one that rounds to zero has none. A `form` is such as "%+.2f"."""
    number = form % value
    return number.replace("-", "\N{MINUS SIGN}") if re.search("[1-9]", number) else number.lstrip("+-")


@cached(LRUCache(64), key=lambda macro, *args: (macro.name, *args), lock=Lock())
def cached_macro(macro: Callable[..., Markup], *args: Hashable) -> Markup:
    """Call a macro, or return what it returned for the same arguments; it must depend on nothing else."""
    return macro(*args)


def facts(anime: Anime) -> list[str]:
    """Type, year and number of episodes of a title, as far as they are known."""
    one_piece = anime.type == "Movie" and anime.episodes == 1  # as films are anyway
    episodes = counted(anime.episodes, "episode", "episodes") if anime.episodes and not one_piece else ""
    return [one for one in (anime.type, str(anime.year or ""), episodes) if one]


_KINDS = {"genres": "genres", "studios": "studio", "tags": "tags", "made_from": "source"}
"""Attributes in words, the most telling to a reader first."""
_MAX_KINDS = 3


def judged_by(anime: Anime, known: Facts, *, of_series: bool = False) -> str:
    """By what a title is judged that hardly anyone watched, such as "its genres and studio".

    The model uses the `known` attributes; `of_series` says whether others of its series speak for the title.
    """
    used = {name for name, _ in attributes_of(anime) & known.attributes}
    kinds = ["series"] * of_series + [word for name, word in _KINDS.items() if name in used]
    *before, last = kinds[:_MAX_KINDS] or ["kind"]
    return f"its {', '.join(before)} and {last}" if before else f"its {last}"


def initial(title: str) -> str:
    """The letter on a title's placeholder cover; empty where it has none."""
    return next((letter.upper() for letter in title if letter.isalnum()), "")


_JAPANESE = re.compile(r"[\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uff66-\uff9f]")
"""Kana and kanji."""


def isolated(title: str) -> Markup:
    """A title as an element that keeps its direction of writing to itself, and says so if it is in Japanese script."""
    language = ' lang="ja"' if _JAPANESE.search(title) else ""
    return Markup(f"<bdi{language}>{escape(title)}</bdi>")  # noqa: S704  # it is escaped; `format` takes five times as long


def title_address(endpoint: str, anime_id: int, **fields: Any) -> str:  # noqa: ANN401  # as Flask's `url_for` takes them
    """The address of a page or picture of a title: made once a request, since Flask takes long for eighty of them."""
    made = g.setdefault("title_addresses", {})
    key = (endpoint, *fields.items())
    if key not in made:
        made[key] = url_for(endpoint, anime_id=MAX_ANIME_ID, **fields)
    return cast("str", made[key].replace(str(MAX_ANIME_ID), str(anime_id), 1))


def score_buttons(anime_id: int) -> Markup:
    """The buttons that say that a title was seen, one for each score and one for none; in one piece, for speed."""
    return Markup(_SCORE_BUTTONS.replace("ID", str(anime_id)))  # noqa: S704  # a number


_SCORE_BUTTONS = "".join(
    f'<button form="state" name="seen" value="ID-{score}">{score or "No score"}</button>'
    for score in range(MAX_SCORE, -1, -1)
)


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


def picture_address(url: str | None, origins: Container[str]) -> str | None:
    """The normalised address of a picture, given as a site has it, if it is of one of the origins; otherwise None.

    `Settings.pictures_from` has the origins; the pages' Content-Security-Policy allows the same.
    """
    origin = origin_of(url or "")
    return _normalised(origin, url or "") if origin and origin in origins else None


def watch_links(links: Iterable[Link]) -> tuple[Link, ...]:
    """The links that lead to a known service by https, each service once and by our name, with an address to show."""
    found: dict[str, Link] = {}
    for link in links:
        origin = origin_of(link.url) or ""
        scheme, _, host = origin.partition("://")  # a host with a port is no service's
        labels = host.split(".")
        parents = (".".join(labels[start:]) for start in range(len(labels)))
        service = next((_SERVICE_OF[one] for one in parents if one in _SERVICE_OF), None)
        if service and scheme == "https":
            found.setdefault(service, Link(service, _normalised(origin, link.url)))
    return tuple(found.values())


def _normalised(origin: str, url: str) -> str:
    parts = urlsplit(url)
    return origin + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
