"""Reading the tables that a model is trained on. Rows that are left out are always counted.

    parts (columns, batches) ─► values (parsed) ─► rating_reader (checked, numbered, sorted) ─► RatingTable
    parts ─► rejected_rows.records ─► anime_table ─► AnimeTable

pyarrow reads batches of megabytes, and each distinct value of a batch is parsed once. Rows are numbered; the lines
of the few that are named are found by reading the text again. DuckDB is not faster. It tells no line of a value that is
out of range, and a wrong one below a field of several lines.
"""

from hakken.training.tables.anime_table import AnimeTable, in_series, read_anime_table, read_catalogue
from hakken.training.tables.combining import combined
from hakken.training.tables.parts import described
from hakken.training.tables.rating_reader import RatingTable, Reading, read_ratings
from hakken.training.tables.values import COMPLETED, NOT_SCORED, UNKNOWN_STATUS

__all__ = [
    "COMPLETED",
    "NOT_SCORED",
    "UNKNOWN_STATUS",
    "AnimeTable",
    "RatingTable",
    "Reading",
    "combined",
    "described",
    "in_series",
    "read_anime_table",
    "read_catalogue",
    "read_ratings",
]
