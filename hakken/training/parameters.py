"""Hyper-parameters as a file: what `hakken tune` finds, and `hakken train --params` takes."""

import os
from pathlib import Path

import msgspec

from hakken.errors import ConfigError, TableError
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
    """Write a file under another name, then give it its own: what stood there stays until the new one is whole.

    Raises:
        TableError: the file can't be written.
    """
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    except OSError as error:
        raise TableError(f"{path} can't be written: {error.strerror or error}.") from error
    finally:
        staged.unlink(missing_ok=True)
