"""Hyper-parameters as a file: what `hakken tune` finds, and `hakken train --params` takes."""

from pathlib import Path

import msgspec

from hakken.errors import ConfigError, TableError
from hakken.files import written_whole
from hakken.model.manifest import Parameters


def read_parameters(path: Path) -> Parameters:
    """Read `Parameters` from JSON; what the file does not name keeps its default.

    Raises:
        ConfigError: the file can't be read, names a parameter that there isn't, or gives one an impossible value.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Parameters)
    except OSError as error:
        raise ConfigError(f"The parameters in {path} can't be read: {error.strerror or error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"The parameters in {path} can't be used: {error}.") from error


def write_parameters(path: Path, parameters: Parameters) -> None:
    """Write `Parameters` as JSON, for people to read too: all of them, whole or not at all.

    Raises:
        TableError: the file can't be written.
    """
    write_whole(path, msgspec.json.format(msgspec.json.encode(parameters), indent=2) + b"\n")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        TableError: the file can't be written.
    """
    try:
        with written_whole(path) as file:
            file.write(content)
    except OSError as error:
        raise TableError(f"{path} can't be written: {error.strerror or error}.") from error
