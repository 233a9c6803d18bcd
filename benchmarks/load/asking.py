"""What the suites ask for: a list of 300 entries, in a body or in an address, and what else visitors come for."""

from urllib.parse import urlencode

import msgspec

from benchmarks.load.client import Request
from benchmarks.serving import popular_list
from hakken.bundle import ModelBundle
from hakken.lists import encoded_list
from hakken.model import store
from hakken.ratings import UserList

N_ENTRIES, N_WANTED = 300, 20
API = "/api/v1/recommendations"
PAGE = "/recommendations"


def sample_list() -> UserList:
    """A list with the popularity and scores of real ones."""
    return popular_list(ModelBundle.read(store.open_artefact(store.EMBEDDED)), N_ENTRIES)


def as_json(user_list: UserList) -> Request:
    """Ask the API for `N_WANTED` titles with their reasons, the list in the body."""
    ratings = [{"anime_id": one.anime_id, "score": one.score} for one in user_list.ratings]
    return Request(API, msgspec.json.encode({"ratings": ratings, "n": N_WANTED}))


def as_page(user_list: UserList) -> Request:
    """Ask for the page, the list in the address as the page itself has it."""
    return Request(f"{PAGE}?{urlencode({'list': encoded_list.packed(user_list)})}")


def all_kinds(user_list: UserList) -> list[Request]:
    """What visitors ask for, of each kind something; recommendations most often."""
    query = urlencode({"list": encoded_list.packed(user_list)})
    some = ["/", f"/taste?{query}", "/anime/1", "/api/v1/anime?q=monster", "/static/hakken.css", "/readyz"]
    often = [as_json(user_list), as_page(user_list)]
    return [one for path in some for one in (*often, Request(path))]
