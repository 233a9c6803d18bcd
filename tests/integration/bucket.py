"""A bucket on loopback: an emulator of Google Cloud Storage that keeps to preconditions, and fails by switch."""

# ruff: noqa: SLF001  # the emulator has no other way in

import functools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from gcp_storage_emulator import server as emulated
from gcp_storage_emulator.exceptions import NotFound
from google.cloud import storage

from hakken.registry.storage import DirectoryStore, ObjectStore, open_store

BUCKET = "models"
URI = f"gs://{BUCKET}/p"
Put = Callable[[str, bytes | None], None]


class Seen(NamedTuple):
    """A request for an object's content, or to store it."""

    method: str
    name: str
    range: str | None


class Faults:
    """What goes wrong, by the object's last name, and what was asked for."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.status: dict[tuple[str, str], int] = {}
        self.cut: dict[str, int] = {}
        self.changed: dict[str, Callable[[bytes], bytes]] = {}
        self.hashed = True
        self.stored_unheard = False

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]  # everything as it was

    def asked(self, method: str = "GET") -> list[str]:
        """Last names of what was fetched or stored, in order."""
        return [one.name.rpartition("/")[2] for one in self.seen if one.method == method]

    def around(self, method: str, handler: Callable[..., None]) -> Callable[..., None]:
        """A handler of the emulator's that fails as it is told."""

        def handle(request: Any, response: Any, storage: Any) -> None:
            name = _name(request)
            last = name.rpartition("/")[2]
            content = method == "POST" or request.query.get("alt") == ["media"] or "/download/" in request.path
            if content:
                self.seen.append(Seen(method, name, request.get_header("range")))
            if content and (method, last) in self.status:
                response.status = _Status(self.status[method, last])
            elif not _precondition_holds(request, name, storage):
                response.status = _Status(412)
            else:
                handler(request, response, storage)
                if content and method == "GET":
                    self._spoil(response, last)
                if self.stored_unheard and method == "POST":
                    response.status = _Status(503)  # the object is there, and nobody was told

        return handle

    def _spoil(self, response: Any, last: str) -> None:
        if last in self.changed:
            response._content = self.changed[last](response._content)
        if not self.hashed:
            response._headers.pop("X-Goog-Hash", None)
        if last in self.cut:
            response.close = functools.partial(_close_early, response, self.cut[last])


class _Status(NamedTuple):
    value: int
    phrase: str = "Fault"


def _name(request: Any) -> str:
    found = request.params.get("object_id") or (request.query.get("name") or [None])[0]
    if found is None and isinstance(request.data, dict):
        found = request.data.get("meta", request.data).get("name")
    return found or ""


def _precondition_holds(request: Any, name: str, storage: Any) -> bool:
    wanted = request.query.get("ifGenerationMatch")
    if not wanted:
        return True
    try:
        generation = storage.get_file_obj(request.params["bucket_name"], name)["generation"]
    except NotFound:
        generation = "0"
    return bool(wanted == [generation])


def _close_early(response: Any, sent: int) -> None:
    """Send some bytes of more that were promised."""
    handler = response._handler
    handler.send_response(response.status.value, response.status.phrase)
    for key, value in response._headers.items():
        handler.send_header(key, value)
    handler.send_header("Content-Length", str(len(response._content)))
    handler.end_headers()
    handler.wfile.write(response._content[:sent])


@pytest.fixture(scope="module")
def faults() -> Iterator[Faults]:
    found = Faults()
    before = emulated.HANDLERS
    emulated.HANDLERS = tuple(
        (regex, {method: found.around(method, handler) for method, handler in handlers.items()})
        for regex, handlers in before
    )
    yield found
    emulated.HANDLERS = before


@pytest.fixture(scope="module")
def emulator(faults: Faults) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    server = emulated.create_server("localhost", port, in_memory=True, default_bucket=BUCKET)
    server.start()
    yield f"http://localhost:{port}"
    server.stop()


@pytest.fixture
def bucket(emulator: str, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    found = storage.Client().bucket(BUCKET)
    faults.clear()
    yield found
    faults.clear()
    for blob in list(found.list_blobs()):
        blob.delete()


@pytest.fixture(params=["bucket", "directory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A place for models, of either kind, that nothing was published to."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        return open_store(URI)
    return DirectoryStore(tmp_path / "published here")


@pytest.fixture
def put(place: ObjectStore, request: pytest.FixtureRequest) -> Put:
    """Writes an object of the place's as any program might, or deletes it."""

    def put(name: str, content: bytes | None) -> None:
        if isinstance(place, DirectoryStore):
            path = place.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        else:
            blob = request.getfixturevalue("bucket").blob(f"p/{name}")
            blob.delete() if content is None else blob.upload_from_string(content)

    return put
