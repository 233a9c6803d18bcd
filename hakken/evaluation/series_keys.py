"""Series keys, by which lists are measured: titles with the same key count as one show."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from hakken.catalogue import Anime, Catalogue
from hakken.errors import TableError

COLUMNS = ["anime_id", "key"]
ALONE = "anime {}"
"""Key of an anime without a key in the table."""
MIN_EPISODES = 6
"""An ONA with at least so many episodes is a show."""
MID_YEAR = 7
"""Month of a title with a year only."""


class SeriesKeys(NamedTuple):
    """Which titles belong together.

    Attributes:
        of_anime: anime id → key.
        source: description of their origin, for the page.
        shows: key → ids of its shows, by date; see `with_shows`.
    """

    of_anime: Mapping[int, str]
    source: str
    shows: Mapping[str, Sequence[int]] = MappingProxyType({})

    def key(self, anime_id: int) -> str:
        """Key of a title; one that is not in the table is a series of its own."""
        return self.of_anime.get(anime_id) or ALONE.format(anime_id)


def read_keys(path: Path) -> SeriesKeys:
    """Read a table of keys, a CSV file with the columns `anime_id` and `key`.

    Raises:
        TableError: it can't be read, or lacks a column.
    """
    try:
        rows = pd.read_csv(path, dtype={"key": str}, usecols=COLUMNS, keep_default_na=False)
        of_anime = dict(zip(rows["anime_id"].astype(int).tolist(), rows["key"].tolist(), strict=True))
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise TableError(f"The keys in {path} can't be read: {error}.") from error
    return SeriesKeys(of_anime, f"the keys of {path.name}")


def keys_of(catalogue: Catalogue) -> SeriesKeys:
    """Use a catalogue's own series as keys: Hakken is then measured by its own series."""
    of_anime = {anime_id: ALONE.format(catalogue.series_of(anime_id)) for anime_id in catalogue}
    return SeriesKeys(of_anime, "the catalogue's own series, which the default list also uses")


def with_shows(keys: SeriesKeys, catalogue: Catalogue) -> SeriesKeys:
    """Add the shows of each series in the order of their dates; Hakken's viewing order is what is measured by it.

    Films are left out, because dates do not tell whether a film continues a story; so are shows without a year.
    """
    shows = defaultdict(list)
    for one in sorted(catalogue.values(), key=lambda one: (_began(one), one.anime_id)):
        if one.year and (one.type == "TV" or (one.type == "ONA" and (one.episodes or 0) >= MIN_EPISODES)):
            shows[keys.key(one.anime_id)].append(one.anime_id)
    return keys._replace(shows=shows)


def _began(anime: Anime) -> str:
    """Date of the first episode, or first month of its season; both sort as text."""
    return anime.start_date or f"{anime.year}-{anime.first_month or MID_YEAR:02}"
