"""Values of a table's columns. Each distinct value of a batch is parsed once, in Python."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hakken.errors import TableError
from hakken.model.arrays import Array, Int32s
from hakken.ratings import CODE_OF_STATUS, MAX_ANIME_ID, STATUS_OF_CODE, Status

UNKNOWN_STATUS = 0
"""Status of an entry without a score that was watched or planned."""
COMPLETED = CODE_OF_STATUS[Status.COMPLETED]
EPOCH = date(1970, 1, 1)
"""Day 0."""
NOT_SCORED = -1
"""Written by some tables for an entry without a score; others write 0 or nothing."""
MISSING = frozenset(("", "-", "nan", "none", "null", "na", "n/a", "<na>"))
MAX_POINTS = 100
MAX_DIGITS = 18
NUMBER = re.compile(r" *[+-]?(?=\.?[0-9])[0-9]{0,18}(\.[0-9]*|,[0-9]{1,2})? *")
MAX_EXACT = 2.0**53
"""Larger floating-point numbers do not identify an integer."""
MAX_USER_ID = 2**64 - 1
A_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
A_TIME = r"([T ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|\+00:00)?)?$"
SECONDS_PER_DAY = 86_400
EARLIEST = (date(1990, 1, 1) - EPOCH).days
"""Earlier dates are impossible."""
IMPOSSIBLE_TIME = "impossible update time, left unknown"

TEXT = frozenset((pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()))
Parsed = int | bytes | str
"""A parsed value: a number or text in UTF-8; or, as a str, the reason why it can't be used."""


class Labels(NamedTuple):
    """A dictionary-encoded column: `values[codes[p]]` is the parsed value of row p; several values may be the same."""

    codes: Int32s
    values: list[Parsed]

    def numbers(self, known: dict[Parsed, int] | None = None) -> Array:
        """`(n,)` int64, the numbers, 0 for what is none; or, for any values, their numbers in `known`, which grows."""
        numbers = [
            (value if isinstance(value, int) else 0) if known is None else known.setdefault(value, len(known))
            for value in self.values
        ]
        return np.array(numbers, dtype=np.int64)[self.codes]

    def faults(self) -> Iterator[tuple[str, Array]]:
        """Each reason why values can't be used, and whether it is that of each row, `(n,)` bool."""
        for fault in dict.fromkeys(value for value in self.values if isinstance(value, str)):
            yield fault, np.array([value == fault for value in self.values])[self.codes]

    def take(self, rows: Array) -> "Labels":
        """Select rows, and drop values that do not occur in them."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Labels(codes.astype(np.int32), [self.values[code] for code in used.tolist()])


def parsed(column: pa.Array, parse: Callable[[object], Parsed | None], fault: str) -> Labels:
    """Parse a column's distinct values.

    `parse` receives bytes if the column holds text, else a number; None if it is missing. `fault` is why a value of
    which it returns None can't be used.

    Raises:
        TableError: the column holds neither text nor numbers.
    """
    encoded = column  # as CSV is read
    if not pa.types.is_dictionary(column.type) or column.null_count:
        encoded = _plain(column).dictionary_encode(null_encoding="encode")
    values = [parse(value) for value in encoded.dictionary.to_pylist()]
    return Labels(encoded.indices.to_numpy(), [fault if value is None else value for value in values])


def texts(column: pa.Array) -> list[bytes]:
    """A column as text; missing values are empty.

    Raises:
        TableError: the column holds neither text nor numbers.
    """
    column = _plain(column)
    column = column if column.type in TEXT else column.cast(pa.string()).cast(pa.binary())
    found: list[bytes] = pc.fill_null(column, b"").to_pylist()
    return found


def number_of(value: object) -> Decimal | int | None:
    """Exact value of a number or of its text, which may have a decimal comma; None for anything else."""
    if isinstance(value, bytes):
        if value.isdigit() and len(value) <= MAX_DIGITS:
            return int(value)
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return Decimal(value.strip(" ").replace(",", ".")) if NUMBER.fullmatch(value) else None
    if isinstance(value, float) and not abs(value) < MAX_EXACT:
        return None
    return Decimal(value) if isinstance(value, int | float | Decimal) else None


def whole_number(lowest: int, highest: int, value: object) -> int | None:
    """Parse an integer of a range, which some programs write as "8.0"; None for anything else."""
    number = number_of(value)
    return int(number) if number is not None and lowest <= number <= highest and number % 1 == 0 else None


anime_id = partial(whole_number, 1, MAX_ANIME_ID)
user_id = partial(whole_number, 0, MAX_USER_ID)


def username(value: object) -> bytes | str | None:
    """Parse a name."""
    name = value if isinstance(value, bytes) else str("" if value is None else value).encode()
    try:
        is_text = "\0" not in name.decode()
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        return "a username that is not text in UTF-8"
    return name if name.strip() else None


def half_points(value: object) -> int | None:
    """Parse a score to the half points below it, 0-200; 0 if missing, and at least 1 if not."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if text.strip().lower() in MISSING:
        return 0
    number = number_of(value)
    if number is None or not (number == NOT_SCORED or 0 <= number <= MAX_POINTS):
        return None
    return max(int(2 * number), 1) if number > 0 else 0


def status(value: object) -> int | None:
    """Parse MyAnimeList's code of a status."""
    code = whole_number(0, max(STATUS_OF_CODE), value)
    return code if code in (UNKNOWN_STATUS, *STATUS_OF_CODE) else None


def days(column: pa.Array) -> Labels:
    """Parse dates or UTC times to days since `EPOCH`; 0 if missing.

    Text may be a date ("2026-03-01") or a time of such a day ("2026-03-01T12:34:56Z", with or without a fraction).

    Raises:
        TableError: the column holds neither dates, times nor text.
    """
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        column = pc.divide(column.cast(pa.timestamp("s"), safe=False).cast(pa.int64()), SECONDS_PER_DAY)
    elif column.type in TEXT:
        text = column.cast(pa.binary())
        is_time = pc.match_substring_regex(text, f"{A_DATE}{A_TIME}|^$")
        column = pc.if_else(is_time, pc.binary_slice(text, 0, len("2026-03-01")), b"?")
    elif not pa.types.is_null(column.type):
        raise TableError(f"A table's update times must be dates, times or text, not {column.type}.")
    return parsed(column, partial(_day, (datetime.now(UTC).date() - EPOCH).days + 1), IMPOSSIBLE_TIME)


def seconds(column: pa.Array) -> Labels:
    """Parse times to seconds since 1970; 0 if missing. Raises TableError where the column holds something else."""
    if not pa.types.is_timestamp(column.type):
        raise TableError(f"The times of a table's lists must be times, not {column.type}.")
    column = pc.fill_null(column.cast(pa.timestamp("s"), safe=False).cast(pa.int64()), 0)
    return parsed(column, lambda value: value if isinstance(value, int) else None, "impossible time of a list")


def _day(tomorrow: int, value: object) -> int | None:
    if value in {None, b""}:
        return 0
    try:
        day = (date.fromisoformat(value.decode()) - EPOCH).days if isinstance(value, bytes) else value
    except ValueError:
        return None
    return day if isinstance(day, int) and EARLIEST <= day <= tomorrow else None


def _plain(column: pa.Array) -> pa.Array:
    """Numbers as they are, text as binary: it need not be UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if kind in TEXT or pa.types.is_null(kind):
        return column.cast(pa.binary())
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise TableError(f"A table's columns must hold text or numbers, not {kind}.")
    return column
