"""Facts about anime as Jikan and MyAnimeList's API tell them, written from their specifications; and the pictures."""

import json
from functools import cache
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.model import store
from tests.standin.covers import cover
from tests.standin.sites import jikan, mal
from tests.standin.titles import ODD_ID, ODD_JIKAN, ODD_MAL, UNREADABLE, Title, listed, title

pictures = Blueprint("pictures", __name__, url_prefix="/pictures")
_PAGE = 25
_PLACEHOLDER = "https://cdn.myanimelist.net/img/sp/icon/apple-touch-icon-256.png"
_JIKAN_RATINGS = {"PG": "Children", "PG-13": "Teens 13 or older", "R": "17+ (violence & profanity)", "Rx": "Hentai"}


def _picture_of(one: Title, size: str = "") -> str:
    return f"{request.host_url}pictures/anime/{one.anime_id}{size}.jpg"


def _mal_word(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")


@jikan.get("/anime/<int:anime_id>/full")
def jikan_anime_full(anime_id: int) -> ResponseReturnValue:
    one = title(anime_id)
    if one is None:
        error = f"404 on https://myanimelist.net/anime/{anime_id}"
        body = {"status": 404, "type": "BadResponseException", "message": "Resource does not exist", "error": error}
        return jsonify(body), 404
    return _with_etag({"data": _jikan_facts(one, full=True)})


@jikan.get("/anime")
def jikan_anime_list() -> ResponseReturnValue:
    page, limit = request.args.get("page", 1, type=int), min(request.args.get("limit", _PAGE, type=int), _PAGE)
    in_order = request.args.get("order_by") == "mal_id" and request.args.get("sort") != "desc"
    entries = map(title, sorted(listed, reverse=not in_order))
    data: list[object] = [*UNREADABLE, *(_jikan_facts(one, full=False) for one in entries if one)]
    start, last = (page - 1) * limit, -(-len(data) // _PAGE)
    shown = data[start : start + limit]
    items = {"count": len(shown), "total": len(data), "per_page": _PAGE}
    pagination = {"last_visible_page": last, "has_next_page": page < last, "current_page": page, "items": items}
    return jsonify(pagination=pagination, data=shown)


def _jikan_facts(one: Title, *, full: bool) -> dict[str, Any]:
    sizes = {"image_url": "", "small_image_url": "t", "large_image_url": "l"}
    images = {name: _picture_of(one, size) for name, size in sizes.items()}
    if not one.picture:
        images = dict.fromkeys(sizes, _PLACEHOLDER)
    titles = [("Default", one.title), *(("Synonym", name) for name in one.synonyms)]
    titles += [(kind, name) for kind, name in (("Japanese", one.japanese), ("English", one.english)) if name]
    begun = f"{one.year}-{one.month:02}-03T00:00:00+00:00" if one.year else None
    facts: dict[str, Any] = {
        "mal_id": one.anime_id,
        "images": {"jpg": images, "webp": images},
        "titles": [{"type": kind, "title": name} for kind, name in titles],
        "title": one.title,
        "title_english": one.english,
        "title_japanese": one.japanese,
        "title_synonyms": one.synonyms,
        "type": one.type,
        "source": one.source,
        "episodes": one.episodes,
        "aired": {"from": begun, "to": None, "prop": {"from": {"day": 3, "month": one.month, "year": one.year}}},
        "rating": f"{one.rating} - {_JIKAN_RATINGS.get(one.rating)}" if one.rating else None,
        "score": one.score,
        "members": one.members,
        "synopsis": one.synopsis,
        "season": one.season,
        "year": one.year if one.season else None,
        "studios": _named(one.studios),
        "genres": _named(one.genres),
        "explicit_genres": _named(one.explicit),
        "themes": _named(one.themes),
        "demographics": _named(one.demographics),
    }
    if full:
        facts["relations"] = [
            {"relation": kind, "entry": [{"mal_id": other, "type": medium, "name": "x", "url": "x"}]}
            for kind, other, medium in one.relations
        ]
        facts["streaming"] = [{"name": name, "url": url} for name, url in one.streaming]
    odd = ODD_JIKAN if one.anime_id == ODD_ID else {}
    return facts | {name: value for name, value in odd.items() if full or name not in {"relations", "streaming"}}


def _named(names: tuple[str, ...]) -> list[dict[str, object]]:
    return [{"mal_id": number, "type": "anime", "name": name, "url": "x"} for number, name in enumerate(names, 1)]


@mal.get("/anime/<int:anime_id>")
def mal_anime(anime_id: int) -> ResponseReturnValue:
    one = title(anime_id)
    if one is None:
        return jsonify(error="not_found", message=""), 404
    return _with_etag(_mal_node(one, _fields(), alone=True))


@mal.get("/anime/ranking")
def mal_ranking() -> ResponseReturnValue:
    if request.args.get("ranking_type") != "all":
        return jsonify(error="bad_request", message="invalid ranking_type"), 400
    offset, limit = request.args.get("offset", 0, type=int), min(request.args.get("limit", 100, type=int), 500)
    all_too = request.args.get("nsfw") == "true"
    found = [one for one in map(title, listed) if one and (all_too or one.nsfw == "white")]
    found.sort(key=lambda one: (-(one.score or 0), one.anime_id))
    nodes: list[object] = [
        {"node": _mal_node(one, _fields(), alone=False), "ranking": {"rank": rank}}
        for rank, one in enumerate(found, start=1)
    ]
    nodes = [*UNREADABLE, *nodes]
    following = {"next": f"https://elsewhere.invalid/anime/ranking?offset={offset + limit}"}
    return jsonify(data=nodes[offset : offset + limit], paging=following if offset + limit < len(nodes) else {})


def _fields() -> set[str]:
    return {name.strip() for name in request.args.get("fields", "").split(",")}


def _mal_node(one: Title, fields: set[str], *, alone: bool) -> dict[str, object]:
    """Id, title and picture always; what else was asked for, and of it what is known. Relations for one alone only."""
    genres = one.genres + one.explicit + one.themes + one.demographics
    known: dict[str, object] = {
        "alternative_titles": {"synonyms": one.synonyms, "en": one.english or "", "ja": one.japanese or ""},
        "start_date": f"{one.year}-{one.month:02}-03" if one.year else None,
        "start_season": {"year": one.year, "season": one.season} if one.season else None,
        "synopsis": one.synopsis or "",
        "mean": one.score,
        "num_list_users": one.members,
        "nsfw": one.nsfw,
        "media_type": _mal_word(one.type) if one.type else "unknown",
        "source": _mal_word(one.source),
        "num_episodes": one.episodes or 0,
        "rating": _mal_word(one.rating) if one.rating else None,
        "genres": [{"id": number, "name": name} for number, name in enumerate(genres, 1)] or None,
        "studios": [{"id": number, "name": name} for number, name in enumerate(one.studios, 1)],
    }
    if alone:
        known["related_anime"] = [
            {"node": {"id": other, "title": "x"}, "relation_type": _mal_word(kind), "relation_type_formatted": kind}
            for kind, other, medium in one.relations
            if medium == "anime"
        ]
    node: dict[str, object] = {"id": one.anime_id, "title": one.title}
    if one.picture:
        node["main_picture"] = {"medium": _picture_of(one), "large": _picture_of(one, "l")}
    odd = ODD_MAL if one.anime_id == ODD_ID else {}
    known |= {name: value for name, value in odd.items() if name in known}
    node |= {name: value for name, value in odd.items() if name in node}
    return node | {name: value for name, value in known.items() if name in fields and value is not None}


def _with_etag(body: object) -> Response:
    response = Response(json.dumps(body), mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=86400"
    response.add_etag()
    response.make_conditional(request)  # which may make a 304 of it
    return response


@pictures.get("/anime/<int:anime_id>.jpg")
@pictures.get("/anime/<int:anime_id>t.jpg")
@pictures.get("/anime/<int:anime_id>l.jpg")
def picture(anime_id: int) -> Response:
    """A cover with the title as the embedded model has it; an SVG for all its name, as browsers don't mind."""
    one = _embedded().get(anime_id) or title(anime_id)
    if one is None:
        return Response(status=404)
    credit = " ".join((*one.studios[:1], str(one.year or "")))
    return Response(cover(anime_id, one.title, credit), mimetype="image/svg+xml")


@cache
def _embedded() -> Catalogue:
    return ModelBundle.read(store.open_artefact(store.EMBEDDED)).catalogue
