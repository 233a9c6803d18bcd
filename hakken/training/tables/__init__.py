"""Reading the tables that a model is made from. Nothing is dropped without being counted.

    files ─► csv_blocks ─┐
                         ├─► rows (tests, codes) ─► gathering (numbering, order) ─► RatingTable
    files ─► Parquet ────┘
    files ─► records ─► anime, relations ─► AnimeTable

Text comes in blocks of a few megabytes, which all cores parse; what is kept of a block is about ten bytes an entry.
"""

from hakken.training.tables.anime_table import AnimeTable, read_anime_table
from hakken.training.tables.rating_reader import read_ratings
from hakken.training.tables.rating_table import COMPLETED, UNKNOWN_STATUS, RatingTable
from hakken.training.tables.relation_table import in_series
from hakken.training.tables.row_checks import NOT_SCORED

__all__ = [
    "COMPLETED",
    "NOT_SCORED",
    "UNKNOWN_STATUS",
    "AnimeTable",
    "RatingTable",
    "in_series",
    "read_anime_table",
    "read_ratings",
]
