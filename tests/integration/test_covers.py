"""Covers: the picture's address where it is known and may be shown, else a drawing, and never a failure."""

from collections.abc import Callable
from xml.etree.ElementTree import Element, fromstring

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from hakken import errors
from hakken.catalogue import Link
from hakken.config import Settings
from hakken.web.template_filters import SERVICES, initial, picture_address, watch_links
from tests.fake_services import CDN, ROOT, FakeServices

ORIGINS = Settings().pictures_from


def svg(page: TestResponse) -> Element:
    assert page.mimetype == "image/svg+xml"
    found: Element = fromstring(page.get_data())
    return found


def letter(page: TestResponse) -> str:
    return "".join(svg(page).itertext()).strip()


def test_a_picture_that_is_known_is_led_to_and_any_other_drawn_and_asked_for(
    client: FlaskClient, fakes: FakeServices
) -> None:
    page = client.get("/anime/1/cover")
    assert (page.status_code, page.headers["Location"]) == (302, CDN)
    assert page.headers["Cache-Control"] == "public, max-age=86400"
    assert not fakes.wanted
    page = client.get("/anime/199/cover")

    assert (page.status_code, letter(page)) == (200, "S")
    assert page.headers["Cache-Control"] == "public, max-age=60"
    assert fakes.wanted == [[199]]

    fakes.facts[199] = {"picture": CDN}
    assert client.get("/anime/199/cover").status_code == 302


def test_a_picture_from_elsewhere_is_not_led_to(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/anime/666/cover")

    assert page.status_code == 200
    assert "elsewhere" not in page.text
    assert fakes.wanted == [[666]], "what the catalogue has is of no use"

    fakes.facts[666] = {"picture": "https://elsewhere.example/another.jpg"}
    assert client.get("/anime/666/cover").status_code == 200
    assert fakes.wanted == [[666]], "asking again would give the same"


def test_an_id_of_no_title_is_drawn_and_nobody_is_asked_and_what_is_no_id_has_no_cover(
    client: FlaskClient, fakes: FakeServices
) -> None:
    for anime_id in ("2", "12345", "2147483647"):
        page = client.get(f"/anime/{anime_id}/cover")
        assert (page.status_code, letter(page)) == (404, "")
    for no_id in ("0", "-1", "2147483648", "9" * 5000, "1.5", "x"):
        page = client.get(f"/anime/{no_id}/cover")
        assert (page.status_code, page.mimetype) == (404, "text/html")
    assert not fakes.wanted
    fakes.model_failure = errors.ArtefactMissing("There is no model.")
    svg(client.get("/anime/1/cover"))


def test_patterns_differ_and_keep_to_the_policy(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.model_failure = errors.ArtefactMissing("There is no model.")
    pages = [client.get(f"/covers/{pattern}.svg") for pattern in range(6)]
    assert len({page.text for page in pages}) == 6
    for page in pages:
        assert page.headers["Cache-Control"] == "public, max-age=86400"
        for element in svg(page).iter():
            assert element.tag.rpartition("}")[2] in {"svg", "defs", "pattern", "g", "rect", "circle", "path", "text"}
            assert not [name for name in element.attrib if name in {"style", "class", "href"} or name.startswith("on")]


@given(st.text())
@example("<script>alert(1)</script>")
@example('"& ></text>')
@example("🎬 ")
@example("ß")
@example("مسلسل")
def test_any_title_is_drawn(title: str) -> None:
    app = Flask("covers", root_path=str(ROOT))
    drawn = fromstring(app.jinja_env.get_template("cover.svg").render(pattern=0, letter=initial(title)))
    assert "".join(drawn.itertext()).strip() == initial(title)


def test_the_policy_and_the_covers_know_the_same_origins(
    app_with: Callable[[Settings], Flask], fakes: FakeServices
) -> None:
    client = app_with(Settings(picture_origins="http://127.0.0.1:9, https://pictures.example")).test_client()
    fakes.facts = {7: {"picture": "http://127.0.0.1:9/7.jpg"}}

    policy = client.get("/").headers["Content-Security-Policy"]

    assert "img-src 'self' http://127.0.0.1:9 https://pictures.example;" in policy
    assert client.get("/anime/7/cover").headers["Location"] == "http://127.0.0.1:9/7.jpg"
    assert client.get("/anime/1/cover").status_code == 200, "MyAnimeList's are not listed here"


HOST = "cdn.myanimelist.net"
HOSTS = (
    *(f"{HOST}@evil.example", f"user@{HOST}", f"user:word@{HOST}", f"evil.example\\@{HOST}", f"{HOST}\\.evil.example"),
    *(f"{HOST}.evil.example", f"evil{HOST}", f"evil.example/{HOST}", f"evil.example#{HOST}", "[::1]", "["),
    *(f"evil.example?https://{HOST}", f"{HOST}:8443", f"{HOST}:99999", f"{HOST}:x", f"{HOST}.", f"\t{HOST}"),
    *(
        f"{HOST}%2eevil.example",
        f"{HOST}\0",
        f"{HOST}。",
        f"/{HOST}",
        HOST.replace("c", "\N{FULLWIDTH LATIN SMALL LETTER C}"),
    ),
)
TRICKS = (
    *(f"https://{host}/a.jpg" for host in HOSTS),
    *(
        f"http://{HOST}/a.jpg",
        f"//{HOST}/a.jpg",
        f"https:/{HOST}/a.jpg",
        f"https:{HOST}/a.jpg",
        f" https://{HOST}/a.jpg",
    ),
    *(f"https://{HOST}/a.jpg\nSet-Cookie: x", f"https://{HOST}/a\\b.jpg"),
    *("javascript:alert(1)", "data:image/png;base64,AAAA", ""),
)


@pytest.mark.parametrize("address", TRICKS)
def test_an_address_that_only_looks_right_is_not_shown(address: str) -> None:
    assert picture_address(address, ORIGINS) is None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (CDN, CDN),
        (f"HTTPS://CDN.MyAnimeList.net/{'a' * 9}.jpg?s=1", f"https://{HOST}/{'a' * 9}.jpg?s=1"),
        (f"https://{HOST}:443/a.jpg#x", f"https://{HOST}/a.jpg"),
        (f"https://{HOST}", f"https://{HOST}/"),
        (f"https://{HOST}//evil.example", f"https://{HOST}//evil.example"),
        (f"https://{HOST}/a@b", f"https://{HOST}/a@b"),
    ],
)
def test_an_address_of_a_listed_origin_is_shown_in_one_spelling(address: str, shown: str) -> None:
    assert picture_address(address, ORIGINS) == shown


PIECES = st.sampled_from(
    [*"/\\@:?#.%[]- \t\n\0", "https:", "HTTPS:", "http:", "//", HOST, HOST.upper(), ":443", ":80", "evil.example", "。"]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=10).map("".join))
def test_whatever_is_shown_is_of_a_listed_origin(address: str) -> None:
    shown = picture_address(address, ORIGINS)
    if shown is not None:
        assert shown.startswith(tuple(f"{origin}/" for origin in ORIGINS))
        assert shown.isascii()
        assert shown.isprintable()
        assert not set(shown) & set(" \\")
        assert picture_address(shown, ORIGINS) == shown


DOMAINS = [(name, domain) for name, domains in SERVICES.items() for domain in domains]


@pytest.mark.parametrize(("name", "domain"), DOMAINS)
def test_a_service_is_known_by_its_domain_and_those_below_it(name: str, domain: str) -> None:
    for host in (domain, f"www.{domain}", f"WWW.a.{domain.upper()}"):
        assert [one.name for one in watch_links([Link("x", f"https://{host}/watch")])] == [name]
    for address in (
        f"http://{domain}/",
        f"https://evil{domain}/",
        f"https://{domain}.evil.example/",
        f"https://evil.example/{domain}",
        f"https://{domain}@evil.example/",
        f"https://u@{domain}/",
        f"https://{domain}:8443/",
        f"https://{domain}./",
        f"https://{domain}\\.evil.example/",
    ):
        assert not watch_links([Link(name, address)]), address


def test_each_service_is_linked_once_by_our_name() -> None:
    links = [
        Link("Click here", "https://www.netflix.com/title/1"),
        Link("Netflix", "https://netflix.com/title/2"),
        Link("Hulu", "https://hulu.com"),
    ]
    assert [(one.name, one.url) for one in watch_links(links)] == [
        ("Netflix", "https://www.netflix.com/title/1"),
        ("Hulu", "https://hulu.com/"),
    ]
