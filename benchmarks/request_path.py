"""Which of our files run for a list by username, from a table to an artefact, and from a bucket to a worker.

python -m benchmarks.request_path
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import FrameType

from flask.testing import FlaskClient
from gcp_storage_emulator.server import create_server

from ars_app import create_app
from benchmarks.synthetic import synthetic_entries
from benchmarks.training import ANIME_CSV
from hakken.cli.main import main as hakken
from hakken.config import Settings
from hakken.model import store
from tests.serving import free_port
from tests.standin.server import Standin
from tests.standin.users import USERS

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
NOT_OF_MODELS = ("ars_app.py", "hakken/web/", "hakken/sites/", "hakken/search/", "hakken/ratings.py")
"""What runs in any worker, whatever model it has."""


def files_of(action: Callable[[], object]) -> list[str]:
    """Files of `hakken/` and of the root of which a function runs, in any thread that begins meanwhile or in this."""
    ran: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            ran.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    paths = (Path(name) for name in ran if name.endswith(".py"))
    found = (path.relative_to(ROOT) for path in paths if path.is_relative_to(ROOT))
    return sorted(str(path) for path in found if path.parts[0] == "hakken" or len(path.parts) == 1)


def answered(client: FlaskClient, address: str) -> None:
    """Ask until the answer is good: a model may still be on its way."""
    end = time.monotonic() + PATIENCE
    while (status := client.get(address).status_code) != HTTPStatus.OK:
        if time.monotonic() > end:
            raise SystemExit(f"{address} is answered by {status}.")
        time.sleep(0.1)


def of_username() -> list[str]:
    """Files between a username at the sites' stand-in and the page."""
    standin = Standin()
    standin.start()
    try:
        client = create_app(standin.settings(facts_source="off")).test_client()
        return files_of(lambda: answered(client, f"/recommendations?username={next(iter(USERS))}&source=mal"))
    finally:
        standin.stop()


def of_table(place: Path) -> list[str]:
    """Files between a table of ratings and an artefact."""
    synthetic_entries(60, 20, 600, seed=3).write_csv(place / "ratings.csv")
    (place / "anime.csv").write_text(ANIME_CSV)
    tables = ["--ratings", str(place / "ratings.csv"), "--anime", str(place / "anime.csv")]
    return files_of(lambda: hakken(["train", *tables, "--out", str(place / "model")], standalone_mode=False))


def of_model(place: Path) -> list[str]:
    """Files between a model in a bucket and a worker that is ready."""
    port = free_port()
    bucket = create_server("localhost", port, in_memory=True, default_bucket="models")
    bucket.start()
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://localhost:{port}"
    try:
        hakken(
            ["publish", "--quiet", str(store.locate(store.EMBEDDED)[0]), "gs://models/hakken"], standalone_mode=False
        )
        settings = Settings(model="gs://models/hakken", cache_dir=str(place / "cache"), facts_source="off")
        ran = files_of(lambda: answered(create_app(settings).test_client(), "/readyz"))
    finally:
        bucket.stop()
    return [name for name in ran if not name.startswith(NOT_OF_MODELS)]


def main() -> None:
    """Print the files and their numbers."""
    with tempfile.TemporaryDirectory() as place:
        for what, files in (
            ("a table's way to an artefact", of_table(Path(place))),  # first, as applications leave threads behind
            ("a list by username", of_username()),
            ("a model's way from a bucket to a worker", of_model(Path(place))),
        ):
            print(f"{what}: {len(files)} files", *files, "", sep="\n")


if __name__ == "__main__":
    main()
