"""Series keys, by which lists are judged: titles with the same key are taken for one show."""

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
"""Key of what begins with an anime, where no table gives one."""
MIN_EPISODES = 6
"""What is shown on the net alone is a show from this length on."""
MID_YEAR = 7
"""Month of what has a year alone."""


class SeriesKeys(NamedTuple):
    """Which titles belong together.

    Attributes:
        of_anime: anime id → key.
        source: where they are from, for people.
        shows: key → ids of its shows, in the order in which they began; see `with_shows`.
    """

    of_anime: Mapping[int, str]
    source: str
    shows: Mapping[str, Sequence[int]] = MappingProxyType({})

    def key(self, anime_id: int) -> str:
        """A title's key; one that is not in the table stands alone."""
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
    """Take a catalogue's own series for keys: Hakken is then judged by what it believes itself."""
    of_anime = {anime_id: ALONE.format(catalogue.series_of(anime_id)) for anime_id in catalogue}
    return SeriesKeys(of_anime, "the catalogue's own series, which the default list goes by too")


def with_shows(keys: SeriesKeys, catalogue: Catalogue) -> SeriesKeys:
    """Say which shows each series has, by their dates alone: Hakken's own viewing order is what is to be judged.

    Films are left out, as dates do not say whether a story goes on in one, and so are shows without a year.
    """
    shows = defaultdict(list)
    for _, anime_id in sorted((_began(one), one.anime_id) for one in catalogue.values() if one.year and _is_show(one)):
        shows[keys.key(anime_id)].append(anime_id)
    return keys._replace(shows=shows)


def _is_show(anime: Anime) -> bool:
    return anime.type == "TV" or (anime.type == "ONA" and (anime.episodes or 0) >= MIN_EPISODES)


def _began(anime: Anime) -> str:
    """The first episode's date, or its season's first month; both sort as text."""
    return anime.start_date or f"{anime.year}-{anime.first_month or MID_YEAR:02}"
