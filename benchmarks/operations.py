"""Figures that the load and chaos suites find, and the sections of docs/operations.md that they write."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks import machine

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"


class Figure(NamedTuple):
    """What was found.

    Attributes:
        what: was looked at.
        found: in words.
        wanted: the same, as it should be; empty where nothing is wanted.
        reached: whether it is so.
    """

    what: str
    found: str
    wanted: str = ""
    reached: bool = True

    def __str__(self) -> str:
        wanted = f" (wanted: {self.wanted}{'' if self.reached else ', MISSED'})" if self.wanted else ""
        return f"{self.what}: {self.found}{wanted}"


def section(title: str, command: str, opening: str, figures: Iterable[Figure]) -> str:
    """A section of the page, with the machine, the date and the command."""
    rows = [
        f"| {one.what} | {one.found} | {one.wanted}{'' if one.reached else ' **missed**'} |".replace("  ", " ")
        for one in figures
    ]
    measured = f"`{command}`, {machine.describe('gunicorn', 'flask', 'numpy')}."
    return "\n".join(
        [f"## {title}", "", opening, "", measured, "", "| what | found | wanted |", "|---|---|---|", *rows, ""]
    )


def put(text: str, page: Path = PAGE) -> None:
    """Put a section in the place of the one with its heading, or at the end; the others stay as they are."""
    heading = text.partition("\n")[0]
    old = page.read_text() if page.exists() else "# Operations\n"
    parts = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    kept = [part.rstrip() + "\n" for part in parts]
    named = [number for number, part in enumerate(kept) if part.partition("\n")[0] == heading]
    if named:
        kept[named[0]] = text
    else:
        kept.append(text)
    page.write_text("\n".join(kept))
