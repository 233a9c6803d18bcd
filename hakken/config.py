"""Settings, from HAKKEN_* environment variables; an unknown or ill-typed one is refused at start."""

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from hakken.errors import ConfigError

PREFIX = "HAKKEN_"
SECRET = frozenset(("mal_client_id", "metrics_token", "limits_url"))
"""Fields that are never shown; the last may hold a password."""

PUBLIC_JIKAN_URL = "https://api.jikan.moe/v4"

_RATES = r"[a-z_]+=[1-9][0-9]{0,5}/[sm](\+[1-9][0-9]{0,5}/[sm])*"
_SECONDS = {"s": 1.0, "m": 60.0}
_ALLOWED = r"[1-9][0-9]{0,5}/(second|minute|hour|day)"
_SHOWN = r"https:|http://(localhost|127\.0\.0\.1)(:|$)"
"""How the origins begin that pictures may come from."""
_PREFIX = r"(?=.{0,200}\Z)(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)*/?"
"""A path of plain segments: nothing that a browser could take for another host, and nothing to be escaped."""
_DEFAULT_PORTS = {"https": 443, "http": 80}

Url = Annotated[str, Meta(pattern=r"^https?://\S+$")]


class SiteRate(NamedTuple):
    """How often a site may be asked."""

    requests: int
    seconds: float


class Settings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All that an operator may choose. The table of docs/reference/settings.md has what stands below each field."""

    model: str = "embedded"
    """Model to serve: `embedded`, a directory, its `file://` address, or `gs://bucket/prefix`."""
    model_poll: Annotated[float, Meta(ge=0, le=86400)] = 300.0
    """Seconds between checks for a new version, randomly varied by up to a quarter; 0: check at start only; `embedded`
    is never checked."""
    cache_dir: str = ""
    """Directory for fetched models, cached answers of sites and shared rate limits; empty: the user's cache
    directory."""
    mal_client_id: Annotated[str, Meta(pattern=r"^[!-~]*\Z")] = ""
    """Client id for MyAnimeList's API; empty: this API is not used."""
    list_sources: str = ""
    """Sources to ask for a MyAnimeList username, in order: `mal`, `jikan`, `load_json`, comma-separated, or `off`;
    empty: `mal` if there is a client id, then `jikan` unless it is the public one, then `load_json`."""
    jikan_url: Url = PUBLIC_JIKAN_URL
    """Base URL of the Jikan API."""
    mal_url: Url = "https://api.myanimelist.net/v2"
    """Base URL of MyAnimeList's API."""
    load_json_url: Url = "https://myanimelist.net/animelist"
    """Base URL of MyAnimeList's list pages, for `load_json`."""
    anilist_url: Url = "https://graphql.anilist.co"
    """URL of AniList's GraphQL API."""
    facts_source: Literal["auto", "mal", "jikan", "off"] = "auto"
    """Source of pictures and synopses that the catalogue lacks: `mal`, `jikan`, `off`, or `auto`: `mal` if there is a
    client id, else `jikan`."""
    picture_origins: str = "https://cdn.myanimelist.net,https://api-cdn.myanimelist.net"
    """Origins that pictures may be loaded from: https, comma-separated."""
    deadline: Annotated[float, Meta(gt=0, le=120)] = 20.0
    """Seconds that fetching one list may take in total."""
    collect_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of each site's rates that `collect` takes, so that visitors need not wait for it."""
    site_rates: str = "jikan=3/s+60/m mal=1/s load_json=1/s anilist=1/s+30/m facts=20/m"
    """Rate limit of each site, shared by all workers of a machine: requests per second (`s`) or minute (`m`)."""
    threads: Annotated[int, Meta(ge=2, le=1024)] = 8
    """Requests that one worker handles at once; at most half of them may wait for sites."""
    max_upload_mb: Annotated[int, Meta(ge=1, le=100)] = 10
    """Largest upload in MB; an export may unpack to five times as much."""
    waiting: Annotated[int, Meta(ge=0, le=1024)] = 32
    """Has no effect any more: 32 requests may queue in one worker, for two seconds at most; further requests get a 503
    at once."""
    request_deadline: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds for receiving and answering one request, including fetching a list, and again for sending the answer;
    then its connection is closed."""
    proxies: Annotated[int, Meta(ge=0, le=10)] = 0
    """Number of trusted proxies in front that set `X-Forwarded-For`, `X-Forwarded-Proto` and, below a prefix,
    `X-Forwarded-Prefix`, or drop what clients send there; further values in these headers are ignored."""
    https: Literal["off", "on"] = "off"
    """Whether visitors use https: `on` redirects http to https and sends `Strict-Transport-Security`."""
    rate_limit: Annotated[str, Meta(pattern=rf"^(off|{_ALLOWED}(;{_ALLOWED})*)\Z")] = "300/minute"
    """Rate limit of each client, such as `60/minute` or `10/second;300/hour`, or `off`; a page counts 1, an API call 2,
    a list from a site, an upload or another form 4."""
    limits_url: Annotated[str, Meta(pattern=r"^[a-z0-9+]+://\S*\Z")] = "memory://"
    """Storage of the rate limit's counters: `memory://`, in each worker separately, or a storage that several machines
    share, such as `redis://host:6379`."""
    metrics_token: Annotated[str, Meta(pattern=r"^([!-~][ -~]{14,}[!-~])?\Z")] = ""
    """Bearer token for `/metrics`, 16 characters of ASCII or more; empty: `/metrics` is off."""
    log_lines: Literal["auto", "json", "text"] = "auto"
    """Format of log lines: `json`, `text`, or `auto`: `text` on a terminal, else `json`."""
    log_level: Literal["info", "warning"] = "info"
    """`info`: log every request too; `warning`: log problems only."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from environment variables.

        Raises:
            ConfigError: a HAKKEN_* variable is unknown, or a value is not of its type or range.
        """
        variables = variable_names()
        known = {variable: field for field, variable in variables.items()}
        for name in environ:
            if name.startswith(PREFIX) and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}."
                raise ConfigError(f"The setting {name} is unknown{hint}")
        # A variable that is set to nothing is taken for one that is not set, as most programs do.
        given = {field: text for field, name in variables.items() if (text := environ.get(name, "").strip())}
        try:
            settings = msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$.")
            raise _unusable(path.rstrip("`"), reason) from error
        for field, text in given.items():
            parts = _parts(text)
            usable = parts is not None and parts.hostname and parts.port != 0
            if field.endswith("_url") and field != "limits_url" and not usable:
                raise _unusable(field, f"{text!r} is not an http address")
        _ = settings.pictures_from, settings.rates  # what can't be used is refused at start, not when it is needed
        if settings.deadline > settings.request_deadline:
            raise _unusable("request_deadline", f"it is less than {variables['deadline']}")
        return settings

    @property
    def mal_sources(self) -> tuple[str, ...]:
        """Names of the sources to ask for a MyAnimeList username, in order, each once.

        The public Jikan has discontinued its user lists: it is asked only where `list_sources` names it.
        """
        if self.list_sources == "off":
            return ()
        if self.list_sources:
            return tuple(dict.fromkeys(name.strip() for name in self.list_sources.split(",")))
        own_jikan = self.jikan_url.rstrip("/") != PUBLIC_JIKAN_URL
        asked = (("mal", self.mal_client_id), ("jikan", own_jikan), ("load_json", True))
        return tuple(name for name, is_asked in asked if is_asked)

    @cached_property
    def rates(self) -> dict[str, tuple[SiteRate, ...]]:
        """How often each site may be asked, by its name; all of a site's rates hold at once.

        Raises:
            ConfigError: one is not written as rates are.
        """
        found = {}
        for one in self.site_rates.split():
            if not re.fullmatch(_RATES, one):
                so = "is not a number of requests per second or minute, such as jikan=3/s+60/m"
                raise _unusable("site_rates", f"{one!r} {so}")
            site, rates = one.split("=")
            found[site] = tuple(SiteRate(int(n), _SECONDS[unit]) for n, unit in re.findall(r"(\d+)/(.)", rates))
        return found

    @property
    def facts_from(self) -> Literal["mal", "jikan"] | None:
        """Whom to ask for facts that the catalogue lacks; None: nobody."""
        if self.facts_source == "auto":
            return "mal" if self.mal_client_id else "jikan"
        return None if self.facts_source == "off" else self.facts_source

    @cached_property  # a page asks for each of its titles
    def pictures_from(self) -> tuple[str, ...]:
        """The origins that pictures may come from, as `origin_of` writes them, each once.

        Raises:
            ConfigError: one is neither an https origin nor, for a demonstration without network, one on loopback.
        """
        given = [text for one in self.picture_origins.split(",") if (text := one.strip())]
        for text in given:
            if origin_of(text) != text.lower() or not re.match(_SHOWN, text.lower()):
                so = "is not an https origin, such as https://cdn.myanimelist.net"
                raise _unusable("picture_origins", f"{text!r} {so}")
        return tuple(dict.fromkeys(text.lower() for text in given))

    def __repr__(self) -> str:
        hidden = {name: "***" for name in SECRET if getattr(self, name)}
        shown = msgspec.structs.asdict(self) | hidden
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _unusable(field: str, reason: str) -> ConfigError:
    return ConfigError(f"The setting {variable_names().get(field, field)} can't be used: {reason}.")


@lru_cache(maxsize=4096)  # the same pictures and links stand on most pages
def origin_of(address: str) -> str | None:
    """Scheme, host and port of an http address, such as "https://cdn.myanimelist.net"; None for anything else.

    What browsers and Python read differently is nothing that it could be sure of, so that is None too: white space,
    control characters, backslashes, other scripts, and a user's name before the host.
    """
    if not re.fullmatch(r"(?i:https?)://[!-~]+", address) or "\\" in address:
        return None
    parts = _parts(address)
    if parts is None or "@" in parts.netloc or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", parts.hostname or ""):
        return None
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def _parts(address: str) -> SplitResult | None:
    with suppress(ValueError):
        parts = urlsplit(address)
        _ = parts.port  # one past 65,535 raises
        return parts
    return None


def is_prefix(text: str) -> bool:
    """Whether pages can be served below this path; empty for none, and a slash at its end is allowed."""
    return re.fullmatch(_PREFIX, text) is not None


def variable_names() -> dict[str, str]:
    """Map each field of `Settings` to its environment variable; one has the name that others gave it."""
    ours = {field: PREFIX + field.upper() for field in Settings.__struct_fields__}
    return ours | {"mal_client_id": "MAL_CLIENT_ID"}
