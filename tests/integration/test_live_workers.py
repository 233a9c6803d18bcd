"""Workers under gunicorn that follow a bucket or a directory, and a bucket that keeps silent."""

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from create_gcs_local_file import fetch
from hakken.model.store import Artefact
from hakken.registry.publish import publish, roll_back
from hakken.registry.storage import DirectoryStore, open_store
from tests.integration.bucket import URI, Faults
from tests.serving import Process, served, until, wait_for, workers_of


@pytest.fixture
def silent() -> Iterator[str]:
    """A bucket that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def environment(model: str, tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "HAKKEN_MODEL": model,
        "HAKKEN_MODEL_POLL": "0.2",
        "HAKKEN_CACHE_DIR": str(tmp_path / "cache"),
        "HAKKEN_FACTS_SOURCE": "off",
        **more,
    }


def version(address: str) -> str | None:
    found: str | None = requests.get(f"{address}/readyz", timeout=5).json().get("model", {}).get("version")
    return found


def all_serve(address: str, wanted: str) -> Callable[[], bool]:
    """Whether twenty answers in a row, of which any worker gives some, are of one version."""
    return lambda: {version(address) for _ in range(20)} == {wanted}


def test_two_workers_follow_a_bucket_that_is_asked_once_and_fail_no_request(
    bucket: Any, faults: Faults, versions: list[Artefact], tmp_path: Path
) -> None:
    first, second = versions[:2]
    publish(first, open_store(URI))
    with served("ars_app:create_app()", **environment(URI, tmp_path, WEB_CONCURRENCY="2")) as (address, process):
        wait_for(address)
        until(all_serve(address, first.version))
        over: list[bool] = []
        with ThreadPoolExecutor(1) as visitors:
            visiting = visitors.submit(visit, address, over)
            try:
                faults.seen.clear()
                publish(second, open_store(URI))
                until(lambda: mapped_by(process) == [{second.version}] * 2)
                fetched = Counter(one.name for one in faults.seen if one.method == "GET" and one.name.endswith(".npy"))
                assert set(fetched.values()) == {1}
                roll_back(open_store(URI))
                until(all_serve(address, first.version))
            finally:
                over.append(True)
            assert visiting.result() == {200}


def mapped_by(master: Process) -> list[set[str]]:
    """The versions that each worker has mapped."""
    maps = [Path(f"/proc/{worker}/maps").read_text() for worker in workers_of(master)]
    return [set(re.findall(r"versions/([^/]+)/b_i", one)) for one in maps]


def visit(address: str, over: list[bool]) -> set[int]:
    seen = set()
    while not over:
        seen.add(requests.get(f"{address}/recommendations", {"sample": 1}, timeout=5).status_code)
    return seen


def test_a_directory_is_followed_too_and_whoever_forked_the_workers(versions: list[Artefact], tmp_path: Path) -> None:
    there = DirectoryStore(tmp_path / "there")
    publish(versions[0], there)
    told = environment(there.root.as_uri(), tmp_path, GUNICORN_CMD_ARGS="--preload")
    with served("ars_app:create_app()", **told) as (address, _):
        wait_for(address)
        assert version(address) == versions[0].version, "what is on this machine is there at once"
        publish(versions[1], there)
        until(lambda: version(address) == versions[1].version)


@pytest.mark.parametrize("kept", [False, True])
def test_a_silent_bucket_delays_nothing(
    bucket: Any, silent: str, versions: list[Artefact], tmp_path: Path, kept: bool
) -> None:
    if kept:
        publish(versions[0], open_store(URI))
        fetch(URI, tmp_path / "cache" / "models" / "gs%3A%2F%2Fmodels%2Fp")
    told = environment(URI, tmp_path, STORAGE_EMULATOR_HOST=silent)
    with served("ars_app:create_app()", **told) as (address, _):
        wait_for(address)
        ready = requests.get(f"{address}/readyz", timeout=5)  # the bucket would be waited for longer
        answer = requests.get(f"{address}/recommendations?sample=1", timeout=5)
        if kept:
            assert (version(address), answer.status_code) == (versions[0].version, 200)
        else:
            assert (ready.json()["reason"], ready.status_code) == ("The model is still being fetched.", 503)
            assert answer.status_code == 503
