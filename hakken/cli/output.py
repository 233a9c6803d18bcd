"""Recommendations as a table for a terminal, as JSON, and as CSV."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from hakken.catalogue import Anime, Catalogue, mal_page
from hakken.ratings import Reason, Recommendation, Recommendations

FACTS = ("type", "genres", "year", "episodes")
WIDE = 200
"""Columns for a table that goes to a file or a pipe, where nothing needs to be folded."""


def as_json(result: Recommendations, catalogue: Catalogue) -> str:
    """`{"recommendations": […], "continue": […], "notes": […]}`; a fact that the catalogue lacks is null."""
    rows = [_row(one, catalogue) for one in result.recommendations]
    following = [_row(one, catalogue) for one in result.continues]
    text = msgspec.json.encode({"recommendations": rows, "continue": following, "notes": result.notes})
    return msgspec.json.format(text, indent=2).decode() + "\n"


def as_csv(result: Recommendations, catalogue: Catalogue) -> str:
    """One line for each recommendation under a heading; cells that a spreadsheet would run are escaped."""
    rows = [{"rank": rank} | _row(one, catalogue) for rank, one in enumerate(result.recommendations, start=1)]
    fields = ["rank", *Recommendation.__struct_fields__, *FACTS, "url"]
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def as_table(result: Recommendations, catalogue: Catalogue) -> str:
    """A table to read, with the notes under it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("Title", overflow="fold")
    table.add_column("Predicted", justify="right")
    table.add_column("Type")
    table.add_column("Genres", overflow="fold")
    table.add_column("MyAnimeList", no_wrap=True)
    for rank, one in enumerate(result.recommendations, start=1):
        row = _row(one, catalogue)
        rating = f"{one.predicted_rating:.2f}"
        table.add_row(str(rank), one.title, rating, row["type"] or "", ", ".join(row["genres"] or ()), row["url"])
    text = io.StringIO()
    # Its own console: titles hold brackets and colons, which are no markup, emoji or highlights here.
    terminal = Console()
    width = terminal.width if terminal.is_terminal else WIDE
    console = Console(file=text, width=width, markup=False, emoji=False, highlight=False, no_color=True)
    console.print(table)
    if result.continues:
        console.print("Continue: " + "; ".join(one.title for one in result.continues))
    for note in result.notes:
        console.print(note)
    return "".join(line.rstrip() + "\n" for line in text.getvalue().splitlines())  # rich fills lines up with blanks


FORMATS = {"table": as_table, "json": as_json, "csv": as_csv}


def _row(one: Recommendation, catalogue: Mapping[int, Anime]) -> dict[str, Any]:
    anime = catalogue.get(one.anime_id)
    facts = {name: (getattr(anime, name) or None) if anime else None for name in FACTS}
    return msgspec.structs.asdict(one) | facts | {"url": mal_page(one.anime_id)}


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        value = ", ".join(f"{one.title} {one.share:+.3g}" if isinstance(one, Reason) else one for one in value)
    dangerous = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if dangerous else value
