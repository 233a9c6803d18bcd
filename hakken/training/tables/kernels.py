"""The compiled loops of reading: finding records, reading whole numbers, putting entries in order."""

import numpy as np
from numba import njit, prange

from hakken.model.arrays import Array, Int32s, Int64s

IMPOSSIBLE = np.iinfo(np.int64).min
"""Stands for a field that holds no whole number."""
MAX_DIGITS = 18
"""Any number of so many digits has 64 bits."""
POSITION_BITS = np.uint64(32)
POSITION_MASK = np.uint64(2**32 - 1)

QUOTE, COMMA, LINE_FEED, RETURN, SPACE, PLUS, MINUS, POINT, ZERO, NINE = (ord(sign) for sign in '",\n\r +-.09')
FIELD_START, IN_FIELD, IN_QUOTES, AFTER_QUOTE = range(4)


@njit(nogil=True, cache=True)
def _next_state(state: int, byte: int) -> int:
    """Where a byte leads: to the start of a field, into it, between quotes, or behind what may be the closing one."""
    if state == IN_QUOTES:
        return AFTER_QUOTE if byte == QUOTE else IN_QUOTES
    if byte == QUOTE:
        return IN_FIELD if state == IN_FIELD else IN_QUOTES
    if byte in (COMMA, LINE_FEED, RETURN):
        return FIELD_START
    return IN_FIELD


@njit(nogil=True, cache=True)
def last_record_end(data: Array) -> tuple[int, bool]:
    """Find the end of the last whole record.

    Args:
        data: `(n,)` uint8, text that begins with a record.

    Returns:
        The position behind the last line end outside quotes, or 0; and whether the text ends inside quotes. A carriage
        return at the very end is not taken for a line end, since a line feed may follow.
    """
    state, end = FIELD_START, 0
    for p in range(len(data)):
        byte = data[p]
        if state != IN_QUOTES and (
            byte == LINE_FEED or (byte == RETURN and p + 1 < len(data) and data[p + 1] != LINE_FEED)
        ):
            end = p + 1
        state = _next_state(state, byte)
    return end, state == IN_QUOTES


@njit(nogil=True, cache=True)
def record_lines(data: Array) -> Int64s:
    """The line, counted from 0, on which each record of `(n,)` uint8 text begins; empty lines are no records."""
    lines = np.empty(len(data) // 2 + 1, dtype=np.int64)
    n_records, line = 0, 0
    state, between = FIELD_START, True
    for p in range(len(data)):
        byte = data[p]
        ends_line = byte in (LINE_FEED, RETURN)
        if between and not ends_line:
            lines[n_records] = line
            n_records += 1
            between = False
        if ends_line and state != IN_QUOTES:
            between = True
        if byte == RETURN or (byte == LINE_FEED and (p == 0 or data[p - 1] != RETURN)):
            line += 1
        state = _next_state(state, byte)
    return lines[:n_records].copy()


@njit(nogil=True, cache=True)
def _whole_number(data: Array, begin: int, end: int) -> int:
    while begin < end and data[begin] == SPACE:
        begin += 1
    while begin < end and data[end - 1] == SPACE:
        end -= 1
    negative = begin < end and data[begin] == MINUS
    if begin < end and data[begin] in (MINUS, PLUS):
        begin += 1
    value, p = 0, begin
    while p < end and ZERO <= data[p] <= NINE:
        value = value * 10 + (data[p] - ZERO)
        p += 1
    if p == begin or p - begin > MAX_DIGITS:
        return IMPOSSIBLE
    if p < end and data[p] == POINT:  # "8.0" is what some programs make of 8
        p += 1
        while p < end and data[p] == ZERO:
            p += 1
    if p < end:
        return IMPOSSIBLE
    return -value if negative else value


@njit(nogil=True, cache=True)
def whole_numbers(data: Array, offsets: Int32s) -> Int64s:
    """Read whole numbers from text.

    Args:
        data: uint8, the texts, one behind the other.
        offsets: `(n + 1,)` int32, where each begins.

    Returns:
        `(n,)` int64; `IMPOSSIBLE` for any text that is no whole number of at most 18 digits.
    """
    numbers = np.empty(len(offsets) - 1, dtype=np.int64)
    for row in range(len(numbers)):
        numbers[row] = _whole_number(data, offsets[row], offsets[row + 1])
    return numbers


@njit(cache=True)
def keys_by_user(users: Int32s, items: Int32s, begins: Int64s) -> Array:
    """Gather each user's entries.

    Args:
        users: `(n,)` int32.
        items: `(n,)` int32.
        begins: `(n_users + 1,)` int64, where the entries of each user are to stand.

    Returns:
        `(n,)` uint64, item × 2^32 + position, the position being the entry's row in `users` and `items`.
    """
    keys = np.empty(len(users), dtype=np.uint64)
    free = begins.copy()
    for position in range(len(users)):
        user = users[position]
        keys[free[user]] = (np.uint64(items[position]) << POSITION_BITS) | np.uint64(position)
        free[user] += 1
    return keys


@njit(parallel=True, cache=True)
def sort_and_split(keys: Array, begins: Int64s, items: Int32s, positions: Array) -> None:
    """Sort each user's keys, in place, and split them into `(n,)` int32 items and `(n,)` uint32 positions.

    No key repeats, so the order depends on nothing but the keys: a repeated pair stays in the order of its rows.
    """
    for user in prange(len(begins) - 1):
        own = keys[begins[user] : begins[user + 1]]
        own.sort()
        for p in range(len(own)):
            items[begins[user] + p] = np.int32(own[p] >> POSITION_BITS)
            positions[begins[user] + p] = np.uint32(own[p] & POSITION_MASK)
