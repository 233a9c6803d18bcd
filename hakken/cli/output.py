"""Recommendations as a table for a terminal, or as `hakken.listing` writes them."""

import io
from collections.abc import Callable

from rich.console import Console
from rich.table import Column, Table

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.listing import as_csv, as_json, listed, relative_matches
from hakken.ratings import Recommendations

WIDE = 200
"""Columns of a table that goes to a file or a pipe, where lines need not be folded."""


def as_table(result: Recommendations, catalogue: Catalogue, *, by_match: bool) -> str:
    """Format a table, with the notes under it; of a list that is ordered by match, with the match of each title."""
    left = Column("#", justify="right"), Column("Title", overflow="fold")
    figures = [Column(name, justify="right") for name in ("Match",) * by_match + ("Predicted",)]
    right = "Type", Column("Genres", overflow="fold"), Column("MyAnimeList", no_wrap=True)
    table = Table(*left, *figures, *right, box=None, pad_edge=False, header_style="bold")
    matches = relative_matches(result.recommendations)
    for rank, (one, match) in enumerate(zip(result.recommendations, matches, strict=True), start=1):
        row = listed(one, catalogue)
        rating = "-" if row.predicted_rating is None else f"{row.predicted_rating:.2f}"
        title = f"{row.title}\n  {row.about_series}" if row.about_series else row.title
        both = (str(match),) * by_match + (rating,)
        table.add_row(str(rank), title, *both, row.type or "", ", ".join(row.genres), row.url)
    # Its own console: brackets and colons of titles must not become markup, emoji or highlights.
    terminal = Console()
    width = terminal.width if terminal.is_terminal else WIDE
    text = io.StringIO()
    console = Console(file=text, width=width, markup=False, emoji=False, highlight=False, no_color=True)
    console.print(table)
    if result.continues:
        notes = (f" ({one.about_series.removesuffix('.')})" if one.about_series else "" for one in result.continues)
        titles = (one.title + note for one, note in zip(result.continues, notes, strict=True))
        console.print("Continue: " + "\n          ".join(titles))
    everything = (*result.recommendations, *result.continues)
    if guessed := "; ".join(one.title for one in everything if one.by_attributes):
        console.print(f"Hardly rated yet, so judged by genres, studio and the like: {guessed}")
    for note in result.notes:
        console.print(note)
    return "".join(line.rstrip() + "\n" for line in text.getvalue().splitlines())  # rich pads lines with spaces


FORMATS: dict[str, Callable[[Recommendations, ModelBundle], str]] = {
    "json": as_json,
    "csv": lambda result, bundle: as_csv(result, bundle.catalogue),
}
"""What programs read."""
