"""The stand-in as tests get it; `make demo`, which needs no pytest, imports the rest."""

from collections.abc import Iterator

import pytest

from tests.standin.server import Standin


@pytest.fixture(scope="session")
def standin_server() -> Iterator[Standin]:
    server = Standin()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def standin(standin_server: Standin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """The sites, without a fault."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # whatever proxy the machine has, it is not for these
    standin_server.begin()
    yield standin_server
    standin_server.end()
