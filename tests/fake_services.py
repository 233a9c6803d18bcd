"""The pages with hand-made fakes for what stands behind them, and ways to look at a page."""

import dataclasses
import html
import re
from collections.abc import Callable, Iterable
from datetime import date
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.config import Settings
from hakken.lists.uploads import parse
from hakken.model import Manifest, Model, Parameters, People
from hakken.model.arrays import Arrays, Int64s
from hakken.model.manifest import Sizes
from hakken.model.trees import N_LISTS, N_SPLITS
from hakken.ratings import (
    Preferences,
    Recommendation,
    Recommendations,
    UserList,
    Username,
)
from hakken.web import Services, once_per_request, register

CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"
ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "static" / "sample-export.xml"
CDN = "https://cdn.myanimelist.net/images/anime/4/19644.jpg"

BEBOP = Anime(
    anime_id=1,
    title="Cowboy Bebop",
    type="TV",
    episodes=26,
    genres=("Action", "Space"),
    year=1998,
    studios=("j.c.staff", "brain's base"),
    mean=8.82,
    picture=CDN,
)
SPIRITED = Anime(
    anime_id=199,
    title="Sen to Chihiro no Kamikakushi",
    title_english="Spirited Away",
    type="Movie",
    episodes=1,
    year=2001,
)
EVIL = Anime(
    anime_id=666,
    title="<script>alert('title')</script>",
    title_english='"><img src=x onerror=alert(1)>',
    genres=("<b>",),
    picture="https://elsewhere.example/cover.jpg",
)
BARE = Anime(anime_id=7, title="×××Bare")
ADULT = Anime(anime_id=900, title="For adults", type="OVA", genres=("Hentai", "Space"), adult=True)

MADE = Recommendations(
    (
        Recommendation(1, "Cowboy Bebop", 9.126, 9.126, 2345),
        Recommendation(199, "Sen to Chihiro no Kamikakushi", 8.5, 8.5, 1),
        Recommendation(666, EVIL.title, 8.0, 8.0, 60),
        Recommendation(7, "×××Bare", 7.5, 7.5, 61),
        Recommendation(12345, "MyAnimeList #12345", 7.0, 7.0, 62),
    ),
    ("2 watched titles are new to the model (<b>, BARE).", "It's only a <note>."),
)


def bundle(data_time: str | None = "2026-03") -> ModelBundle:
    manifest = Manifest(
        created="2026-11-23T21:16:35Z",
        data_time=data_time,
        hakken_version="0.1.0",
        mu=7.8,
        sizes=Sizes(users=5877, items=7561, entries=612636, scored=494301, neighbours=1, preferences=0),
        people=People(tuple(range(10, 20)), tuple(step / 5 - 2 for step in range(21))),
        parameters=Parameters(),
        files={},
    )
    anime = [BEBOP, BARE, SPIRITED, EVIL, ADULT]
    rows = len(anime)
    kinds: dict[str, Any] = {"b_i": float, "raters": np.int32, "watchers": np.int32, "sim_scale": np.float32}
    kinds |= {"pref_scale": np.float32, "popularity": np.float32, "attr_share": np.float32, "attr_rows": np.int32}
    arrays: dict[str, Any] = {name: np.zeros(rows, dtype=kind) for name, kind in kinds.items()}
    arrays |= {f"{name}_indptr": np.zeros(rows + 1, dtype=np.int64) for name in ("sim", "pref", "attr")}
    pairs: dict[str, Any] = dict.fromkeys(("sim_indices", "sim_values", "sim_support", "pref_indices"), np.uint16)
    pairs |= {"pref_values": np.int16, "attr_indices": np.uint16, "attr_scale": np.float32}
    arrays |= {name: np.zeros(0, dtype=kind) for name, kind in pairs.items()}
    arrays |= {
        "factors": np.zeros((rows, 0), dtype=np.int8),
        "factor_scale": np.zeros(rows, dtype=np.float32),
        "tree_features": np.zeros((N_LISTS, 0, N_SPLITS), dtype=np.uint8),
        "tree_borders": np.zeros((N_LISTS, 0, N_SPLITS)),
        "tree_parts": np.zeros((N_LISTS, 0, 2**N_SPLITS, N_SPLITS)),
    }
    arrays["popularity"] += np.float32(0.1)
    arrays["attr_rows"] -= 1
    ids = np.array([one.anime_id for one in anime], dtype=np.int32)
    no_arrays = Arrays(anime_ids=ids, attr_values=np.zeros((0, 0), dtype=np.int8), **arrays)
    return ModelBundle(Model(no_arrays, manifest, "20261123T211635Z-abc"), Catalogue(anime))


def silenced(arrays: Arrays, rows: Int64s) -> Arrays:
    """The same where some rows, `(n,)`, are neither similar to any other nor say anything of any."""
    changed: dict[str, Any] = {"attr_rows": arrays.attr_rows.copy()}
    changed["attr_rows"][rows] = -1
    for name, values in (("sim", ("indices", "values", "support")), ("pref", ("indices", "values"))):
        indptr = getattr(arrays, f"{name}_indptr")
        lengths = np.diff(indptr)
        kept = ~np.isin(np.repeat(np.arange(len(lengths)), lengths), rows)
        lengths[rows] = 0
        changed[f"{name}_indptr"] = np.concatenate(([0], np.cumsum(lengths)))
        changed |= {f"{name}_{each}": getattr(arrays, f"{name}_{each}")[kept] for each in values}
    return dataclasses.replace(arrays, **changed)


class FakeServices:
    """What stands behind the pages: remembers what it was asked, and answers or fails as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[Username | UserList, Preferences]] = []
        self.uploads: list[BinaryIO] = []
        self.answer = MADE
        self.list = UserList()
        self.kept: UserList | None = None
        self.failure: Exception | None = None
        self.failures: dict[str, Exception] = {}
        self.model_failure: Exception | None = None
        self.served: ModelBundle | None = None
        self.data_time: str | None = "2026-03"
        self.facts: dict[int, dict[str, Any]] = {}
        self.wanted: list[list[int]] = []
        self.today = date(2026, 11, 27)

    def behind(self, settings: Settings) -> Services:
        made = (self.recommend, self.fetch, once_per_request(self.bundle), self.parse_export, self.known, self.want)
        return Services(settings, *made, find=self.find, today=lambda: self.today)

    def recommend(self, who: Username | UserList, preferences: Preferences) -> Recommendations:
        self.asked.append((who, preferences))
        if self.failure:
            raise self.failure
        return self.answer

    def fetch(self, who: Username | UserList) -> UserList:
        if isinstance(who, UserList):
            return who
        self.asked.append((who, Preferences()))
        if failure := self.failures.get(who.name, self.failure):
            raise failure
        return self.list

    def find(self, who: Username | UserList) -> UserList | None:
        return who if isinstance(who, UserList) else self.kept

    def bundle(self) -> ModelBundle:
        if self.model_failure:
            raise self.model_failure
        return self.served or bundle(self.data_time)

    def known(self, anime: Anime) -> Anime:
        return msgspec.structs.replace(anime, **self.facts.get(anime.anime_id, {}))

    def want(self, anime_ids: Iterable[int]) -> None:
        self.wanted.append(list(anime_ids))

    def parse_export(self, stream: BinaryIO) -> UserList:
        self.uploads.append(stream)
        return parse(stream)


@pytest.fixture
def fakes() -> FakeServices:
    return FakeServices()


@pytest.fixture
def app_with(fakes: FakeServices) -> Callable[[Settings], Flask]:
    def make(settings: Settings) -> Flask:
        app = Flask("hakken_under_test", root_path=str(ROOT))
        register(app, fakes.behind(settings))
        return app

    return make


@pytest.fixture
def client(app_with: Callable[[Settings], Flask]) -> FlaskClient:
    return app_with(Settings(mal_client_id="0123")).test_client()


def upload(client: FlaskClient, content: bytes, *, filename: str = "animelist.xml", **fields: str) -> TestResponse:
    # Encoded here, for the client would put a large file into a temporary one and leave it open.
    boundary, body = encode_multipart({"export": FileStorage(BytesIO(content), filename), **fields})
    content_type = f'multipart/form-data; boundary="{boundary}"'
    return client.post("/recommendations", data=body, content_type=content_type, follow_redirects=True)


def words(page: TestResponse) -> str:
    """The text of a page, without its tags, white space and apostrophes made even."""
    return words_of(page.text)


def words_of(markup: str) -> str:
    """The same of some markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split()).replace(CURLY, "'")


def item(page: TestResponse, rank: int) -> str:
    """The markup of one title of the list."""
    return page.text.split('<li class="entry">')[rank].split("</ol>")[0]


def buttons(page: TestResponse, label: str) -> list[tuple[str, str]]:
    """Name and value of each button that is named so."""
    found = re.findall(r'<button [^>]*name="([^"]*)" value="([^"]*)"[^>]*aria-label="([^"]*)"', page.text)
    return [(name, value) for name, value, called in found if html.unescape(called) == label]


class Fields(HTMLParser):
    """What a browser would send of the form in whose markup a word stands."""

    def __init__(self, page: TestResponse, marker: str) -> None:
        super().__init__()
        self.sent: MultiDict[str, str] = MultiDict()
        self._select = ""
        form = next(part for part in page.text.split("<form ")[1:] if marker in part)
        self.feed(form.split("</form>")[0].partition(">")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._select = given["name"]
        elif (tag == "option" and "selected" in given) or (
            tag == "input" and given["type"] != "file" and (given["type"] != "checkbox" or "checked" in given)
        ):
            self.sent.add(given.get("name", self._select), given["value"])


def press(client: FlaskClient, page: TestResponse, label: str) -> TestResponse:
    """Press a button of the page that is named so: the first of several."""
    fields = Fields(page, 'id="state"').sent
    name, value = buttons(page, label)[0]
    fields.add(name, value)
    if 'method="post"' in page.text.partition('id="state"')[2].partition(">")[0]:
        return client.post("/recommendations", data=fields, follow_redirects=True)
    return client.get("/recommendations", query_string=fields, follow_redirects=True)
