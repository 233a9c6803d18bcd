"""Series keys, by which lists are measured: titles with the same key count as one show."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from hakken.catalogue import Anime, Catalogue
from hakken.errors import TableError

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


def series_keys(catalogue: Catalogue, path: Path | None = None) -> SeriesKeys:
    """Keys of a table, a CSV file with the columns `anime_id` and `key`, with the shows of a catalogue.

    Without a table they are the catalogue's own series: Hakken is then measured by its own series.

    Raises:
        TableError: the table can't be read, or lacks a column.
    """
    if path is None:
        of_anime = {anime_id: ALONE.format(catalogue.series_of(anime_id)) for anime_id in catalogue}
        source = "the catalogue's own series, which the default list also uses"
        return with_shows(SeriesKeys(of_anime, source), catalogue)
    try:
        rows = pd.read_csv(path, dtype={"key": str}, usecols=["anime_id", "key"], keep_default_na=False)
        of_anime = dict(zip(rows["anime_id"].astype(int).tolist(), rows["key"].tolist(), strict=True))
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise TableError(f"The keys in {path} can't be read: {error}.") from error
    return with_shows(SeriesKeys(of_anime, f"the keys of {path.name}"), catalogue)


def with_shows(keys: SeriesKeys, catalogue: Catalogue) -> SeriesKeys:
    """Add the shows of each series in the order of their dates; Hakken's viewing order is what is measured by it.

    Films are left out, because dates do not tell whether a film continues a story; so are shows without a year.
    """

    def began(anime: Anime) -> tuple[str, int]:
        """Date of the first episode, or first month of its season; both sort as text."""
        return anime.start_date or f"{anime.year}-{anime.first_month or MID_YEAR:02}", anime.anime_id

    shows = defaultdict(list)
    for one in sorted(catalogue.values(), key=began):
        if one.year and (one.type == "TV" or (one.type == "ONA" and (one.episodes or 0) >= MIN_EPISODES)):
            shows[keys.key(one.anime_id)].append(one.anime_id)
    return keys._replace(shows=shows)
