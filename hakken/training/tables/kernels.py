"""Compiled loops of reading: finding records, parsing integers, sorting entries."""

import numpy as np
from numba import njit, prange

from hakken.model.arrays import Array, Int32s, Int64s

IMPOSSIBLE = np.iinfo(np.int64).min
"""Represents a field that is not an integer."""
MAX_DIGITS = 18
"""Any number with so many digits fits 64 bits."""
POSITION_BITS = np.uint64(32)
POSITION_MASK = np.uint64(2**32 - 1)

QUOTE, COMMA, LINE_FEED, RETURN, SPACE, PLUS, MINUS, POINT, ZERO, NINE = (ord(sign) for sign in '",\n\r +-.09')
FIELD_START, IN_FIELD, IN_QUOTES, AFTER_QUOTE = range(4)


@njit(nogil=True, cache=True)
def _next_state(state: int, byte: int) -> int:
    """State after a byte: at the start of a field, in it, in quotes, or after a possible closing quote."""
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
        The index after the last line end outside quotes, or 0; and whether the text ends inside quotes. A final
        carriage return does not count as a line end, since a line feed may follow.
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
    """First line, from 0, of each record of `(n,)` uint8 text; empty lines are not records."""
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
    if p < end and data[p] == POINT:  # some programs write 8 as "8.0"
        p += 1
        while p < end and data[p] == ZERO:
            p += 1
    if p < end:
        return IMPOSSIBLE
    return -value if negative else value


@njit(nogil=True, cache=True)
def whole_numbers(data: Array, offsets: Int32s) -> Int64s:
    """Parse integers.

    Args:
        data: uint8, the texts, concatenated.
        offsets: `(n + 1,)` int32, start of each.

    Returns:
        `(n,)` int64; `IMPOSSIBLE` for text that is not an integer of at most 18 digits.
    """
    numbers = np.empty(len(offsets) - 1, dtype=np.int64)
    for row in range(len(numbers)):
        numbers[row] = _whole_number(data, offsets[row], offsets[row + 1])
    return numbers


@njit(cache=True)
def keys_by_user(users: Int32s, items: Int32s, begins: Int64s) -> Array:
    """Group entries by user.

    Args:
        users: `(n,)` int32.
        items: `(n,)` int32.
        begins: `(n_users + 1,)` int64, start of each user's entries in the result.

    Returns:
        `(n,)` uint64, item × 2^32 + position, where the position is the entry's index in `users` and `items`.
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

    Keys are unique, so the result is deterministic: repeated pairs stay in the order of their rows.
    """
    for user in prange(len(begins) - 1):
        own = keys[begins[user] : begins[user + 1]]
        own.sort()
        for p in range(len(own)):
            items[begins[user] + p] = np.int32(own[p] >> POSITION_BITS)
            positions[begins[user] + p] = np.uint32(own[p] & POSITION_MASK)
