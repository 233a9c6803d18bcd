"""Data time: when the newest list that a model was trained on was read, as precisely as it is known.

It is a year, a month, a day or a second, UTC: 2026, 2026-03, 2026-03-01 or 2026-03-01T12:00:00Z.
"""

import re
from datetime import datetime

_FORM = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\dZ)?)?)?", re.ASCII)
_BEGINNING = "0000-01-01T00:00:00Z"
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905  # a list of twelve strings is harder to read
_DAY = len("2026-03-01")


def first_moment(text: str) -> datetime:
    """A data time as a moment, UTC: the beginning of the year, month, day or second.

    Raises:
        ValueError: it has another form, or there is no such day.
    """
    if _FORM.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a time: write 2026, 2026-03, 2026-03-01 or 2026-03-01T12:00:00Z.")
    try:
        return datetime.fromisoformat(text + _BEGINNING[len(text) :])
    except ValueError as error:
        raise ValueError(
            f"{text} is not a time: there is no such {'day' if len(text) <= _DAY else 'moment'}."
        ) from error


def is_earlier(one: str, other: str) -> bool:
    """Whether one time is certainly before the other: 2025 is before 2026-03, and 2026 is not."""
    shorter = min(len(one), len(other))
    return one[:shorter] < other[:shorter]


def in_words(text: str) -> str:
    """A data time for people, to the day at most: 2026, March 2026, 1 March 2026."""
    year, *rest = text[:_DAY].split("-")
    if not rest:
        return year
    month, *day = (int(part) for part in rest)
    return " ".join((*map(str, day), _MONTHS[month - 1], year))
