"""Figures, and the sections of docs/operations.md that are written from them."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks import machine

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"


class NotHere(Exception):
    """The machine lacks what a case needs."""


class Figure(NamedTuple):
    """What was looked at, what was found, what is wanted, if anything, and whether that is so."""

    what: str
    found: str
    wanted: str = ""
    reached: bool = True

    def __str__(self) -> str:
        missed = "" if self.reached else " **missed**"
        return f"| {self.what} | {self.found} | {self.wanted}{missed} |".replace("  ", " ")


def section(title: str, opening: str, figures: Iterable[Figure]) -> str:
    """A section of the page, with the command, the date and the machine."""
    measured = f"`make {title.lower()}`, {machine.describe('gunicorn', 'flask', 'numpy')}."
    table = ["| what | found | wanted |", "|---|---|---|", *map(str, figures), ""]
    return "\n".join([f"## {title}", "", opening, "", measured, "", *table])


def put(text: str, page: Path = PAGE) -> None:
    """Put a section in the place of the one with its heading, or at the end; the others stay as they are."""
    heading = text.partition("\n")[0]
    parts = [part.rstrip() + "\n" for part in re.split(r"^(?=## )", page.read_text(), flags=re.MULTILINE)]
    place = next((number for number, part in enumerate(parts) if part.startswith(heading + "\n")), len(parts))
    parts[place : place + 1] = [text]
    page.write_text("\n".join(parts))
