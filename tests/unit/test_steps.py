"""A figure that decides seldom, held where it does: just below, and just beyond."""

import time

import pytest
import time_machine
from flask import Flask

from hakken.config import Settings
from hakken.web.guard import limit_requests
from hakken.web.observability import Metrics


@pytest.mark.parametrize(("seconds", "again"), [(1, 429), (-4, 429), (6, 200), (-6, 200)])
def test_counting_begins_anew_when_a_clock_was_set_and_not_when_it_was_corrected(seconds: int, again: int) -> None:
    """Or whoever is refused would be let in whenever a clock is put right by a second."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "")
    limit_requests(app, Settings(rate_limit="1/hour"), Metrics())
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    with time_machine.travel(time.time() + seconds, tick=True):
        assert client.get("/").status_code == again
