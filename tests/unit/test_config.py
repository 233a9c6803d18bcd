"""Settings: what is unknown or ill-typed is refused at start, by its variable's name."""

import pytest

from hakken.config import Settings, variable_names
from hakken.errors import ConfigError


def test_nothing_set_gives_the_defaults_and_foreign_variables_are_not_ours() -> None:
    assert Settings.from_environ({"PATH": "/bin", "PORT": "80", "WEB_CONCURRENCY": "2"}) == Settings()


def test_a_variable_set_to_nothing_is_taken_for_one_not_set() -> None:
    assert Settings.from_environ({"HAKKEN_MODEL": "", "HAKKEN_DEADLINE": " ", "MAL_CLIENT_ID": ""}) == Settings()


def test_values_are_read_in_their_types() -> None:
    settings = Settings.from_environ(
        {"HAKKEN_DEADLINE": " 2.5 ", "HAKKEN_MAX_UPLOAD_MB": "3", "MAL_CLIENT_ID": "secret", "HAKKEN_MODEL": "gs://b/p"}
    )
    assert (settings.deadline, settings.max_upload_mb, settings.mal_client_id) == (2.5, 3, "secret")
    assert settings.model == "gs://b/p"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HAKKEN_DEADLINE", "soon"),
        ("HAKKEN_DEADLINE", "0"),
        ("HAKKEN_DEADLINE", "nan"),
        ("HAKKEN_MAX_UPLOAD_MB", "1.5"),
        ("HAKKEN_JIKAN_URL", "api.jikan.moe"),
        ("HAKKEN_MAL_URL", "ftp://x"),
        ("HAKKEN_MAL_URL", "http://[bad"),
        ("HAKKEN_ANILIST_URL", "http://127.0.0.1:99999"),
        ("HAKKEN_LOAD_JSON_URL", "http://:80/x"),
        ("HAKKEN_PICTURE_ORIGINS", "cdn.myanimelist.net"),
        ("HAKKEN_PICTURE_ORIGINS", "https://cdn.myanimelist.net/"),
        ("HAKKEN_PICTURE_ORIGINS", "https://a.example,http://b.example"),
        ("HAKKEN_PICTURE_ORIGINS", "http://127.0.0.1.evil.example"),
        ("HAKKEN_PICTURE_ORIGINS", "http://localhost@evil.example"),
        ("HAKKEN_PICTURE_ORIGINS", "https://*"),
        ("HAKKEN_PICTURE_ORIGINS", "https://a.example; script-src *"),
        ("HAKKEN_PICTURE_ORIGINS", "https://a.example:443"),
        ("MAL_CLIENT_ID", "ключ"),
        ("MAL_CLIENT_ID", "a b"),
    ],
)
def test_an_ill_typed_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"The setting {name} can't be used"):
        Settings.from_environ({name: value})


def test_picture_origins_are_read_once_each() -> None:
    given = {"HAKKEN_PICTURE_ORIGINS": "https://A.example, http://127.0.0.1:8000,https://a.example,,http://localhost"}
    origins = ("https://a.example", "http://127.0.0.1:8000", "http://localhost")
    assert Settings.from_environ(given).pictures_from == origins
    assert Settings(picture_origins="").pictures_from == ()


def test_an_unknown_setting_is_refused_with_the_nearest_known() -> None:
    with pytest.raises(ConfigError, match="HAKKEN_MODLE is unknown; did you mean HAKKEN_MODEL"):
        Settings.from_environ({"HAKKEN_MODLE": "x"})
    with pytest.raises(ConfigError, match="HAKKEN_MAL_CLIENT_ID is unknown; did you mean MAL_CLIENT_ID"):
        Settings.from_environ({"HAKKEN_MAL_CLIENT_ID": "x"})
    with pytest.raises(ConfigError, match=r"HAKKEN_QQQQQQ is unknown; known are HAKKEN_ANILIST_URL, .*MAL_CLIENT_ID"):
        Settings.from_environ({"HAKKEN_QQQQQQ": "x"})


def test_the_client_id_is_not_shown() -> None:
    assert "secret" not in repr(Settings(mal_client_id="secret"))


def test_every_field_has_a_variable_of_its_own() -> None:
    names = variable_names()
    assert set(names) == set(Settings.__struct_fields__)
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (Settings(), ()),
        (Settings(mal_client_id="id"), ("mal",)),
        (Settings(jikan_url="http://localhost:8080/v4"), ("jikan",)),
        (Settings(jikan_url="http://localhost:8080/v4", mal_client_id="id"), ("mal", "jikan")),
        (Settings(jikan_url="https://api.jikan.moe/v4/"), ()),
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


@pytest.mark.parametrize(
    "rates", ["jikan", "jikan=3", "jikan=3/h", "jikan=0/s", "jikan=3/s+", "=3/s", "jikan=3/s,mal=1/s"]
)
def test_a_rate_that_is_none_is_refused(rates: str) -> None:
    with pytest.raises(ConfigError, match=r"HAKKEN_SITE_RATES can't be used: .*, such as jikan=3/s\+60/m\.$"):
        Settings.from_environ({"HAKKEN_SITE_RATES": rates})
