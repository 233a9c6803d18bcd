"""The stand-in's server, what a test may tell and ask it, and the fixture `standin`."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

from hakken.config import Settings
from tests.standin import anime, faults, sites
from tests.standin.crowd import crowd
from tests.standin.faults import Fault


class Seen(NamedTuple):
    """A request as it reached the stand-in."""

    site: str
    path: str
    args: dict[str, str]
    headers: dict[str, str]
    json: object
    moment: float
    """By the monotonic clock."""


class Standin:
    """The sites, one for all.

    Args:
        more: adds pages of its own to the server.

    Attributes:
        requests: those that have come since the test began, in order.
        cache: a directory for the test's apps to keep things in.
    """

    def __init__(self, more: Callable[[Flask, "Standin"], None] | None = None) -> None:
        self.requests: list[Seen] = []
        self.cache = tempfile.TemporaryDirectory(prefix="hakken-standin-", ignore_cleanup_errors=True)
        self._faults: dict[str, tuple[Fault, int]] = {}
        self._server = make_server("127.0.0.1", 0, self._app(more), threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.jikan_url, self.mal_url = f"{self.url}/jikan/v4", f"{self.url}/mal/v2"
        self.load_json_url, self.anilist_url = f"{self.url}/load_json", f"{self.url}/anilist/"

    def settings(self, **changes: object) -> Settings:
        """Settings of an app that takes this for all its sites."""
        given = {
            "jikan_url": self.jikan_url,
            "mal_url": self.mal_url,
            "load_json_url": self.load_json_url,
            "anilist_url": self.anilist_url,
            "mal_client_id": sites.CLIENT_ID,
            "cache_dir": self.cache.name,
            "site_rates": "facts=1000/s",  # the sites themselves are in no hurry
        }
        return Settings(**(given | changes))  # type: ignore[arg-type]  # a test knows what it changes

    def fail(self, site: str, fault: Fault, *, after: int = 0) -> None:
        """Let a site (`jikan`, `mal`, `load_json`, `anilist`) fail from now on, after so many good answers."""
        self._faults[site] = fault, after

    def mend(self, site: str) -> None:
        """Let a site answer again."""
        self._faults.pop(site, None)

    def asked(self) -> list[str]:
        """The sites that were asked, in order, once for each request."""
        return [seen.site for seen in self.requests]

    def begin(self) -> None:
        """Begin a test: forget the faults and the requests of the one before."""
        self._faults.clear()
        self.requests.clear()
        self.cache.cleanup()  # an app of the last test may still be writing into it
        self.cache = tempfile.TemporaryDirectory(prefix="hakken-standin-", ignore_cleanup_errors=True)
        faults.over.clear()
        crowd.empty()

    def end(self) -> None:
        """End a test, and with it the answers that are still on their way."""
        faults.over.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.cache.cleanup()

    def _app(self, more: Callable[[Flask, "Standin"], None] | None) -> Flask:
        app = Flask(__name__)
        app.config["PROPAGATE_EXCEPTIONS"] = True  # so that a fault can break the connection off
        for site in (*sites.ALL, anime.pictures):
            app.register_blueprint(site)
        app.before_request(self._note_and_fail)
        if more:
            more(app, self)
        return app

    def _note_and_fail(self) -> Response | None:
        site = request.path.split("/")[1]
        json, moment = request.get_json(silent=True), time.monotonic()
        self.requests.append(Seen(site, request.path, request.args.to_dict(), dict(request.headers), json, moment))
        fault, after = self._faults.get(site, (None, 0))
        return fault() if fault and self.asked().count(site) > after else None


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # so that bodies may come in chunks

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # a fault closed the connection
            super().handle()

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # its name in the base class
        """Keep the tests' output to themselves."""
