"""A bucket on loopback that can be gone, and hold what it should not."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests
from gcp_storage_emulator.server import create_server

from benchmarks.load import artefacts
from hakken.model.store import Artefact, describe_file
from tests.serving import PATIENCE, ROOT, free_port

NAME = "models"


class Bucket:
    """A bucket of the emulator, which forgets everything when it goes."""

    def __init__(self) -> None:
        self._port = free_port()
        self.come()

    @property
    def address(self) -> str:
        """Of the model in it."""
        return f"gs://{NAME}/hakken"

    @property
    def environment(self) -> dict[str, str]:
        """Makes a process take the emulator for Google's storage."""
        return {"STORAGE_EMULATOR_HOST": f"http://localhost:{self._port}"}

    def come(self) -> None:
        """Be there, and empty."""
        self._server = create_server("localhost", self._port, in_memory=True, default_bucket=NAME)
        self._server.start()

    def go(self) -> None:
        """Be gone: nobody listens."""
        self._server.stop()

    def publish(self, artefact: Artefact) -> None:
        """Make a version the current one, by the command."""
        command = [sys.executable, "-m", "hakken", "publish", "--quiet", str(artefact.directory), self.address]
        environment = {**os.environ, **self.environment}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)

    def put(self, name: str, content: bytes) -> None:
        """Write an object as it is, whatever it is."""
        address = f"{self.environment['STORAGE_EMULATOR_HOST']}/upload/storage/v1/b/{NAME}/o"
        query = {"uploadType": "media", "name": f"hakken/{name}"}
        headers = {"Content-Type": "application/octet-stream"}
        requests.post(address, content, params=query, headers=headers, timeout=PATIENCE).raise_for_status()

    def put_damaged(self, artefact: Artefact) -> None:
        """Make a version the current one of which one file is not what its manifest says."""
        for path in sorted(artefact.directory.iterdir()):
            content = path.read_bytes()
            if path.name == "b_i.npy":
                content = content[:-8] + b"damaged!"
            self.put(f"versions/{artefact.version}/{path.name}", content)
        self.point_to(artefact.version, (artefact.directory / "manifest.json"))

    def point_to(self, version: str, manifest: Path) -> None:
        """Move the pointer, whatever it then points to."""
        pointer = {"version": version, "manifest_sha256": describe_file(manifest).sha256}
        self.put("current.json", json.dumps(pointer).encode())


class Stage(NamedTuple):
    """A bucket with a version in it, another to publish, and a place for a server's cache."""

    bucket: Bucket
    one: Artefact
    two: Artefact
    cache: Path

    @property
    def environment(self) -> dict[str, str]:
        """A server's that follows the bucket and looks twice a second."""
        return {
            **self.bucket.environment,
            "HAKKEN_MODEL": self.bucket.address,
            "HAKKEN_MODEL_POLL": "0.5",
            "HAKKEN_CACHE_DIR": str(self.cache),
        }

    @property
    def installed(self) -> list[Path]:
        """The files of versions that the machine has."""
        return [path for path in self.cache.rglob("b_i.npy") if not path.parent.name.startswith(".")]


@contextmanager
def stage() -> Iterator[Stage]:
    """Set it up, and clear it away."""
    with tempfile.TemporaryDirectory(prefix="hakken-chaos-") as name:
        place = Path(name)
        one, two = (artefacts.marked(place / mark, mark) for mark in ("one", "two"))
        bucket = Bucket()
        try:
            bucket.publish(one)
            yield Stage(bucket, one, two, place / "cache")
        finally:
            bucket.go()
