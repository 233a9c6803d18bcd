"""Where the time of a request goes, by Python's own profiler, in this process and without gunicorn."""

import cProfile
import pstats
from collections.abc import Mapping
from http import HTTPStatus

from ars_app import create_app
from benchmarks.load.client import Request
from hakken.config import Settings

STAGES: Mapping[str, tuple[str, str]] = {
    "the recommendation itself": ("hakken/recommend/__init__.py", "recommend"),
    "reading the body": ("hakken/web/api/request_parsing.py", "read_body"),
    "reading the list from the address": ("hakken/lists/encoded_list.py", "unpacked"),
    "filling in the template": ("flask/templating.py", "render_template"),
    "compressing": ("flask_compress/flask_compress.py", "after_request"),
}
"""What a stage is called → the end of its file's path, and its function."""
RUNS = 100


def shares(request: Request) -> dict[str, float]:
    """The part of a request's time that each stage takes; what is no stage's is Flask's and our own around it."""
    client = create_app(Settings(facts_source="off")).test_client()

    def ask() -> None:
        method = "GET" if request.body is None else "POST"
        headers = {"Accept-Encoding": "gzip", "Content-Type": request.kind}
        answer = client.open(request.path, method=method, data=request.body, headers=headers)
        if answer.status_code != HTTPStatus.OK:
            raise SystemExit(f"{request.path[:40]} is answered by {answer.status}.")

    for _ in range(RUNS // 10):
        ask()
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(RUNS):
        ask()
    profile.disable()
    return _of_stages(pstats.Stats(profile))


def _of_stages(stats: pstats.Stats) -> dict[str, float]:
    table, total = (vars(stats)[name] for name in ("stats", "total_tt"))  # which the types lack
    found = {
        stage: sum(figures[3] for (path, _, name), figures in table.items() if path.endswith(end) and name == function)
        / total
        for stage, (end, function) in STAGES.items()
    }
    found = {stage: share for stage, share in found.items() if share > 0}
    return found | {"Flask, and what is around these": 1 - sum(found.values())}
