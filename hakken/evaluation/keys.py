"""Franchise keys, by which discovery is judged: titles with the same key are taken for one work."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from hakken.catalogue import Catalogue
from hakken.errors import TableError

COLUMNS = ["anime_id", "key"]
ALONE = "anime {}"
"""Key of what begins with an anime, where no table gives one."""


class Keys(NamedTuple):
    """Which titles belong together.

    Attributes:
        of_anime: anime id → key.
        source: where they are from, for people.
    """

    of_anime: Mapping[int, str]
    source: str

    def key(self, anime_id: int) -> str:
        """A title's key; one that is not in the table stands alone."""
        return self.of_anime.get(anime_id) or ALONE.format(anime_id)


def read_keys(path: Path) -> Keys:
    """Read a table of keys, a CSV file with the columns `anime_id` and `key`.

    Raises:
        TableError: it can't be read, or lacks a column.
    """
    try:
        rows = pd.read_csv(path, dtype={"key": str}, usecols=COLUMNS, keep_default_na=False)
        of_anime = dict(zip(rows["anime_id"].astype(int).tolist(), rows["key"].tolist(), strict=True))
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise TableError(f"The keys in {path} can't be read: {error}.") from error
    return Keys(of_anime, f"the keys of {path.name}")


def keys_of(catalogue: Catalogue) -> Keys:
    """Take a catalogue's own series for keys: Hakken is then judged by what it believes itself."""
    of_anime = {anime_id: ALONE.format(catalogue.series_of(anime_id)) for anime_id in catalogue}
    return Keys(of_anime, "the catalogue's own series, which the default list goes by too")
