"""Reading the tables that a model is trained on. Rows that are left out are always counted.

    parts ─► csv_blocks ─┐
                         ├─► row_checks (checks, codes) ─► table_builder (numbering, sorting) ─► RatingTable
    parts ─► Parquet ────┘
    parts ─► part_reader ─► anime_table, relation_table ─► AnimeTable

CSV is read in blocks of a few megabytes, which all cores parse; an entry takes about ten bytes of memory.
"""

from hakken.training.tables.anime_table import AnimeTable, read_anime_table
from hakken.training.tables.rating_reader import read_ratings
from hakken.training.tables.rating_table import COMPLETED, UNKNOWN_STATUS, RatingTable
from hakken.training.tables.relation_table import in_series
from hakken.training.tables.values import NOT_SCORED

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
