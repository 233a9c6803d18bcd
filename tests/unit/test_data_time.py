"""The time of the data: which times there are, what comes first, and how a person says it."""

from datetime import UTC, datetime

import pytest

from hakken.data_time import first_moment, in_words, is_earlier


@pytest.mark.parametrize(
    ("text", "beginning", "said"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC), "2026"),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC), "March 2026"),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC), "29 February 2024"),
        ("2026-03-01T23:59:59Z", datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), "1 March 2026"),
    ],
)
def test_a_time_begins_and_is_said(text: str, beginning: datetime, said: str) -> None:
    assert first_moment(text) == beginning
    assert in_words(text) == said


NO_TIMES = """26|2026-|2026-3|2026-03-1|2026-99|2026-00|0000|2026-02-30|2025-02-29|March 2026|2026-03-01T12:00Z
2026-03-01T12:00:00|2026-03-01T12:00:00+00:00|2026-03-01T24:00:00Z|2026-03-01T12:00:60Z|2026-03-01 12:00:00Z| 2026
2026-13-01|20260301|\uff12\uff10\uff12\uff16"""


@pytest.mark.parametrize("text", ["", "2026-03\n", *NO_TIMES.replace("\n", "|").split("|")])
def test_what_is_no_time_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time: .*\.$"):
        first_moment(text)


@pytest.mark.parametrize(
    ("one", "other", "earlier"),
    [
        ("2025", "2026-03", True),
        ("2026", "2026-03", False),  # perhaps, perhaps not
        ("2026-03", "2026", False),
        ("2026-02", "2026-03-01", True),
        ("2026-02-28", "2026-03", True),
        ("2026-03-01", "2026-03-01T12:00:00Z", False),
        ("2026-03-01T11:59:59Z", "2026-03-01T12:00:00Z", True),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", False),
        ("2026-12-31", "2027", True),
        ("2027", "2026-12-31", False),
    ],
)
def test_earlier_is_what_certainly_ends_before_the_other_begins(one: str, other: str, earlier: bool) -> None:
    assert is_earlier(one, other) is earlier
