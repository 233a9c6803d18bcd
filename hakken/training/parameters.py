"""Hyper-parameters as a file: `hakken tune` writes it, `hakken train --params` reads it."""

from pathlib import Path

import msgspec
import pandas as pd

from hakken.errors import ConfigError, TableError
from hakken.files import written_whole
from hakken.model.hyperparameters import Parameters


def read_parameters(path: Path) -> Parameters:
    """Read `Parameters` from JSON; parameters that the file does not name keep their defaults.

    Raises:
        ConfigError: the file can't be read, names an unknown parameter, or gives one an impossible value.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Parameters)
    except OSError as error:
        raise ConfigError(f"The parameters in {path} can't be read: {error.strerror or error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"The parameters in {path} can't be used: {error}.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file completely or not at all, and the directories above it.

    Raises:
        TableError: the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(content)
    except OSError as error:
        raise TableError(f"{path} can't be written: {error.strerror or error}.") from error


def write_table(path: Path, table: pd.DataFrame, float_format: str | None = "%.6g") -> None:
    """Write a table as CSV; raises as `write_whole`."""
    write_whole(path, table.to_csv(index=False, float_format=float_format, lineterminator="\n").encode())
