"""Seasons: the quarters of a year in which anime are first shown."""

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple, Self

QUARTERS = ("winter", "spring", "summer", "fall")
PATTERN = f"(19|20|21)[0-9]{{2}}-({'|'.join(QUARTERS)})"
"""A season in addresses and options."""


class Season(NamedTuple):
    """A season; its text is such as "2024-spring". Earlier seasons sort first.

    Attributes:
        year: calendar year.
        quarter: 0 for winter, which begins in January, to 3 for fall.
    """

    year: int
    quarter: int

    @classmethod
    def at(cls, day: date) -> Self:
        """The season of a day."""
        return cls(day.year, (day.month - 1) // 3)

    @classmethod
    def of(cls, text: str) -> Self:
        """Read "2024-spring"; raises ValueError if it is no season."""
        if not re.fullmatch(PATTERN, text):
            raise ValueError(text)
        year, _, name = text.partition("-")
        return cls(int(year), QUARTERS.index(name))

    @classmethod
    @lru_cache(maxsize=1024)  # thousands of titles share some hundred seasons
    def named(cls, words: str) -> Self | None:
        """Read "Spring 2024", as sites and the catalogue write it; None if it is no season."""
        name, _, year = words.lower().partition(" ")
        try:
            return cls.of(f"{year}-{name}")
        except ValueError:
            return None

    @classmethod
    def numbered(cls, number: int) -> Self:
        """The season that has a number."""
        return cls(*divmod(number, len(QUARTERS)))

    @property
    def number(self) -> int:
        """Seasons since the year 0, for arrays."""
        return self.year * len(QUARTERS) + self.quarter

    @property
    def first_month(self) -> str:
        """Its first month, such as "2024-04"."""
        return f"{self.year}-{3 * self.quarter + 1:02}"

    @property
    def words(self) -> str:
        """Such as "Spring 2024"."""
        return f"{QUARTERS[self.quarter].capitalize()} {self.year}"

    def __str__(self) -> str:
        return f"{self.year}-{QUARTERS[self.quarter]}"
