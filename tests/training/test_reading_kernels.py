"""The compiled loops of reading, against slow, obvious versions of themselves."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.training.tables import csv_blocks
from hakken.training.tables.kernels import last_record_end, record_lines, whole_numbers

text = st.text(alphabet='a,"\n\r', max_size=40).map(str.encode)


@settings(max_examples=300)
@given(text)
def test_the_records_found_are_those_that_are_parsed(data: bytes) -> None:
    parsed = csv_blocks.parse(csv_blocks.Block(data + b"\n", 1, -1), 3, [0])
    lines = sorted([*parsed.lines.tolist(), *parsed.malformed.tolist()])
    assert lines == (record_lines(np.frombuffer(data + b"\n", dtype=np.uint8)) + 1).tolist()


@settings(max_examples=300)
@given(text, text)
def test_a_block_ends_where_a_record_does(data: bytes, more: bytes) -> None:
    end, quoted = last_record_end(np.frombuffer(data, dtype=np.uint8))
    n_all, n_before, n_after = (
        len(record_lines(np.frombuffer(part, dtype=np.uint8))) for part in (data + more, data[:end], data[end:] + more)
    )
    assert n_all == n_before + n_after
    assert not data[:end].strip(b"\r\n") or data[end - 1 : end] in {b"\r", b"\n"}
    n_unfinished = len(record_lines(np.frombuffer(data[end:], dtype=np.uint8)))
    assert n_unfinished == 1 if quoted else n_unfinished <= 1


@given(st.lists(st.text(alphabet="0123456789+-. x", max_size=6) | st.integers(-(10**20), 10**20).map(str)))
def test_whole_numbers_are_read_as_python_reads_them(words: list[str]) -> None:
    offsets = np.cumsum([0, *map(len, words)]).astype(np.int32)
    numbers = whole_numbers(np.frombuffer("".join(words).encode(), dtype=np.uint8), offsets)
    for word, number in zip(words, numbers.tolist(), strict=True):
        whole, point, rest = word.strip(" ").partition(".")
        digits = whole[1:] if whole[:1] in {"+", "-"} else whole
        possible = digits.isdecimal() and len(digits) <= 18 and not rest.strip("0")
        assert number == (int(whole) if possible else np.iinfo(np.int64).min), (word, point)
