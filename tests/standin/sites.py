"""How each site answers, written from its specification and not from what our sources expect."""

import json
from collections.abc import Callable
from functools import cache
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from tests.standin.crowd import crowd
from tests.standin.users import USERS, Entry

ENDLESS = "endless"
PRIVATE = "recluse"
CLIENT_ID = "id-of-the-stand-in"

_MAL_STATUS = {1: "watching", 2: "completed", 3: "on_hold", 4: "dropped", 6: "plan_to_watch"}
_ANILIST_STATUS = {1: "CURRENT", 2: "COMPLETED", 3: "PAUSED", 4: "DROPPED", 6: "PLANNING"}
_ANILIST_CHUNK = 1000
_UPDATES = 75

jikan = Blueprint("jikan", __name__, url_prefix="/jikan/v4")
mal = Blueprint("mal", __name__, url_prefix="/mal/v2")
load_json = Blueprint("load_json", __name__, url_prefix="/load_json")
anilist = Blueprint("anilist", __name__, url_prefix="/anilist")
ALL = (jikan, mal, load_json, anilist)


def _list_of(user: str) -> tuple[Entry | None, ...] | None:
    return USERS[user] if user in USERS else crowd.list_of(user)


def _page(user: str, offset: int, limit: int) -> tuple[tuple[Entry | None, ...], bool]:
    """Cut a page out of a user's list; also whether there are more after it."""
    entries = _list_of(user) or ()
    if user == ENDLESS:
        return entries, True
    return entries[offset : offset + limit], offset + limit < len(entries)


def _json(body: str) -> Response:
    return Response(body, mimetype="application/json")


@cache
def _written(form: Callable[[Entry], object], entries: tuple[Entry | None, ...]) -> str:
    return json.dumps([entry and form(entry) for entry in entries])


@jikan.get("/users/<user>/animelist")
def jikan_list(user: str) -> ResponseReturnValue:
    if _list_of(user) is None or user == PRIVATE:
        status, message = (403, "Forbidden") if user == PRIVATE else (404, "Resource does not exist")
        error = f"{status} on https://myanimelist.net/"
        return jsonify(status=status, type="BadResponseException", message=message, error=error), status
    entries, _ = _page(user, 300 * (request.args.get("page", 1, type=int) - 1), 300)
    return _json(f'{{"data": {_written(_jikan_entry, entries)}}}')


@jikan.get("/anime/<int:anime_id>/userupdates")
def jikan_updates(anime_id: int) -> ResponseReturnValue:
    page, names = request.args.get("page", 1, type=int), crowd.watchers(anime_id)
    last = -(-len(names) // _UPDATES)
    data = [{"user": {"username": name}, "score": None} for name in names[_UPDATES * (page - 1) : _UPDATES * page]]
    return jsonify(data=data, pagination={"last_visible_page": last, "has_next_page": page < last})


@jikan.get("/seasons/now")
def jikan_season() -> ResponseReturnValue:
    return jsonify(data=[{"mal_id": anime_id} for anime_id in crowd.season], pagination={"has_next_page": False})


def _jikan_entry(entry: Entry) -> dict[str, object]:
    anime = {"mal_id": entry.anime_id, "title": entry.title, "type": "TV", "season": None, "year": None}
    watched = {"episodes_watched": 0, "is_rewatching": entry.rewatching}
    return {"watching_status": entry.code, "score": entry.score, "anime": anime, **watched}


@mal.before_request
def check_client_id() -> ResponseReturnValue | None:
    if request.headers.get("X-MAL-CLIENT-ID") == CLIENT_ID:
        return None
    return jsonify(error="invalid_token", message="The client id is unknown"), 401


@mal.get("/users/<user>/animelist")
def mal_list(user: str) -> ResponseReturnValue:
    if _list_of(user) is None:
        return jsonify(error="not_found", message=""), 404
    if user == PRIVATE:
        return jsonify(error="not_permitted", message=""), 403
    offset, limit = request.args.get("offset", 0, type=int), min(request.args.get("limit", 100, type=int), 1000)
    entries, more = _page(user, offset, limit)
    gray_too = request.args.get("nsfw") == "true"
    shown = tuple(entry for entry in entries if gray_too or not (entry and entry.gray))
    following = {"next": f"https://elsewhere.invalid/users/{user}/animelist?offset={offset + limit}"}
    return _json(f'{{"data": {_written(_mal_entry, shown)}, "paging": {json.dumps(following if more else {})}}}')


def _mal_entry(entry: Entry) -> dict[str, object]:
    status = _MAL_STATUS.get(entry.code, "unheard_of")
    return {
        "node": {"id": entry.anime_id, "title": entry.title},
        "list_status": {"status": status, "score": entry.score, "is_rewatching": entry.rewatching},
    }


@load_json.get("/<user>/load.json")
def load_json_list(user: str) -> ResponseReturnValue:
    if _list_of(user) is None or request.args.get("status") != "7":
        return jsonify(errors=[{"message": "invalid request"}]), 400
    if user == PRIVATE:
        return Response("<html>Forbidden</html>", 403)
    entries, _ = _page(user, request.args.get("offset", 0, type=int), 300)
    return _json(_written(_load_json_entry, entries))


def _load_json_entry(entry: Entry) -> dict[str, object]:
    facts = {"anime_id": entry.anime_id, "anime_title": entry.title, "score": entry.score}
    return {**facts, "status": entry.code, "is_rewatching": int(entry.rewatching)}


@anilist.post("/")
def anilist_list() -> ResponseReturnValue:
    asked: Any = request.get_json()
    user, chunk = asked["variables"]["name"], asked["variables"].get("chunk") or 1
    if _list_of(user) is None:
        return _anilist_error("User not found", 404)
    if user == PRIVATE:
        return _anilist_error("Private User", 404)
    begin = (chunk - 1) * _ANILIST_CHUNK
    entries, more = _page(user, begin, _ANILIST_CHUNK)
    numbered = list(enumerate(entries, begin))
    by_status = sorted(numbered, key=lambda pair: _anilist_status(pair[1]))
    lists = [
        _anilist_list([pair for pair in group if not (pair[1] and pair[1].custom == "only")], custom=False)
        for _, group in groupby(by_status, key=lambda pair: _anilist_status(pair[1]))
    ]
    # Each entry of a custom list stands in two of them.
    lists += 2 * [_anilist_list([pair for pair in numbered if pair[1] and pair[1].custom], custom=True)]
    lists.append({"isCustomList": True, "entries": None})  # as the schema allows
    return jsonify(data={"MediaListCollection": {"lists": lists, "hasNextChunk": more}})


def _anilist_status(entry: Entry | None) -> str:
    if entry and entry.rewatching:
        return "REPEATING"
    return _ANILIST_STATUS.get(entry.code, "UNHEARD_OF") if entry else ""


def _anilist_list(pairs: list[tuple[int, Entry | None]], *, custom: bool) -> dict[str, object]:
    return {"isCustomList": custom, "entries": [entry and _anilist_entry(number, entry) for number, entry in pairs]}


def _anilist_entry(number: int, entry: Entry) -> dict[str, object]:
    score = float(entry.score) if isinstance(entry.score, int) else entry.score  # the schema says Float
    return {"id": number, "score": score, "status": _anilist_status(entry), "media": {"idMal": entry.anime_id}}


def _anilist_error(message: str, status: int) -> ResponseReturnValue:
    return jsonify(errors=[{"message": message, "status": status}], data={"MediaListCollection": None}), status
