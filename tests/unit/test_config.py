"""Settings: what is unknown or ill-typed is refused at start, by its variable's name."""

from typing import Any

import pytest

from hakken.config import Settings
from hakken.errors import ConfigError


@pytest.mark.parametrize(
    ("environ", "read"),
    [
        # What is set to nothing is not set, and foreign variables are not ours.
        ({"PATH": "/bin", "PORT": "80", "HAKKEN_MODEL": "", "HAKKEN_DEADLINE": " ", "MAL_CLIENT_ID": ""}, {}),
        ({"HAKKEN_DEADLINE": " 2.5 ", "HAKKEN_MAX_UPLOAD_MB": "3"}, {"deadline": 2.5, "max_upload_mb": 3}),
        ({"MAL_CLIENT_ID": "id", "HAKKEN_MODEL": "gs://b/p"}, {"mal_client_id": "id", "model": "gs://b/p"}),
    ],
)
def test_values_are_read_in_their_types(environ: dict[str, str], read: dict[str, Any]) -> None:
    assert Settings.from_environ(environ) == Settings(**read)


ILL_TYPED = {
    "HAKKEN_DEADLINE": ["soon", "0", "nan"],
    "HAKKEN_MAX_UPLOAD_MB": ["1.5"],
    "HAKKEN_JIKAN_URL": ["api.jikan.moe"],
    "HAKKEN_MAL_URL": ["ftp://x", "http://[bad"],
    "HAKKEN_ANILIST_URL": ["http://127.0.0.1:99999"],
    "HAKKEN_LOAD_JSON_URL": ["http://:80/x"],
    "HAKKEN_PICTURE_ORIGINS": [
        *("cdn.myanimelist.net", "https://cdn.myanimelist.net/", "https://a.example,http://b.example", "https://*"),
        *("http://127.0.0.1.evil.example", "http://localhost@evil.example", "https://a.example; script-src *"),
        "https://a.example:443",
    ],
    "MAL_CLIENT_ID": ["ключ", "a b"],
    "HAKKEN_SITE_RATES": ["jikan", "jikan=3", "jikan=3/h", "jikan=0/s", "jikan=3/s+", "=3/s", "jikan=3/s,mal=1/s"],
    "HAKKEN_REQUEST_DEADLINE": ["19"],  # less than HAKKEN_DEADLINE
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ILL_TYPED.items() for value in values])
def test_an_ill_typed_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"The setting {name} can't be used"):
        Settings.from_environ({name: value})


def test_picture_origins_are_read_once_each() -> None:
    given = {"HAKKEN_PICTURE_ORIGINS": "https://A.example, http://127.0.0.1:8000,https://a.example,,http://localhost"}
    origins = ("https://a.example", "http://127.0.0.1:8000", "http://localhost")
    assert Settings.from_environ(given).pictures_from == origins
    assert Settings(picture_origins="").pictures_from == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HAKKEN_MODLE", "; did you mean HAKKEN_MODEL"),
        ("HAKKEN_MAL_CLIENT_ID", "; did you mean MAL_CLIENT_ID"),
        ("HAKKEN_QQQQQQ", "; known are HAKKEN_ANILIST_URL, .*MAL_CLIENT_ID"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_known(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is unknown{said}"):
        Settings.from_environ({name: "x"})


def test_the_client_id_is_not_shown() -> None:
    assert "secret" not in repr(Settings(mal_client_id="secret"))


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (Settings(), ("load_json",)),
        (Settings(mal_client_id="id"), ("mal", "load_json")),
        (Settings(jikan_url="http://localhost:8080/v4"), ("jikan", "load_json")),
        (Settings(jikan_url="http://localhost:8080/v4", mal_client_id="id"), ("mal", "jikan", "load_json")),
        (Settings(jikan_url="https://api.jikan.moe/v4/"), ("load_json",)),
        (Settings(list_sources="off", mal_client_id="id"), ()),
        (Settings(list_sources="load_json"), ("load_json",)),
        (Settings(list_sources="jikan"), ("jikan",)),
        (Settings(list_sources="jikan,mal", mal_client_id="id"), ("jikan", "mal")),
    ],
)
def test_the_public_jikan_is_asked_for_lists_only_where_it_is_named(settings: Settings, asked: tuple[str, ...]) -> None:
    assert settings.mal_sources == asked


def test_rates_are_so_many_requests_in_a_time() -> None:
    settings = Settings.from_environ({"HAKKEN_SITE_RATES": "jikan=3/s+60/m  mal=1/s"})
    assert settings.rates == {"jikan": ((3, 1.0), (60, 60.0)), "mal": ((1, 1.0),)}
