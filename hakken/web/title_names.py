"""By which of their names a page shows titles: as its address or form says, otherwise by the browser's languages."""

from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, request
from werkzeug.datastructures import LanguageAccept

from hakken.errors import BadOption
from hakken.ratings import TitleNames
from hakken.web.forms import stated

FIELD = "names"
"""Name in addresses and forms. Once it is given, all links and forms of the page have it."""
OF_LANGUAGE = {"en": TitleNames.ENGLISH, "ja": TitleNames.JAPANESE}
INDEPENDENT = frozenset(("api", "covers", "health", "metrics", "static"))
"""Blueprints, and the endpoint of files, whose answers are the same for everyone."""


def add_title_names(app: Flask) -> None:
    """Have requests for pages read the choice, and their answers repeat it."""
    app.before_request(_read)
    app.url_defaults(_repeat)
    app.after_request(_vary)
    app.jinja_env.globals.update(address_with_names=address_with_names)


def use_main_titles() -> None:
    """Answer the current request with main titles, for a program, whatever was chosen."""
    g.pop("title_names", None)


def address_with_names(names: TitleNames) -> str:
    """The address of the current page, relative to itself, with this choice."""
    others = [(name, text) for name, text in request.args.items(multi=True) if name != FIELD]
    return f"?{urlencode([*others, (FIELD, names)])}"


def by_language(languages: LanguageAccept) -> TitleNames:
    """The choice that suits the languages that a browser asks for, the most wanted first."""
    known = (OF_LANGUAGE.get(tag.lower().partition("-")[0]) for tag, quality in languages if quality)
    return next(filter(None, known), TitleNames.ROMAJI)


def _depends(endpoint: str | None) -> bool:
    return endpoint is not None and endpoint.partition(".")[0] not in INDEPENDENT


def _read() -> None:
    """Set `g.title_names`, the names that are shown, and `g.chosen_names` where they were chosen; raises BadOption."""
    if not _depends(request.endpoint):
        return
    g.title_names = by_language(request.accept_languages)
    # A button for the choice stands above the form whose fields repeat the former one.
    given = [*(stated(request.form, FIELD) if request.method == "POST" else ()), *stated(request.args, FIELD)]
    if given and given[0] not in list(TitleNames):
        raise BadOption(f"The names of titles must be one of {', '.join(TitleNames)}.")
    if given:
        g.title_names = g.chosen_names = TitleNames(given[0])


def _repeat(endpoint: str, values: dict[str, Any]) -> None:
    if "chosen_names" in g and _depends(endpoint):
        values.setdefault(FIELD, g.chosen_names)


def _vary(response: Response) -> Response:
    if "title_names" in g:
        response.vary.add("Accept-Language")
    return response
