"""The time of the data: which times there are, what comes first, and how a person says it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.data_time import first_moment, in_words, is_earlier

FORMS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")
moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(lambda one: one.replace(microsecond=0))  # noqa: DTZ001  # UTC without saying so


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
    with pytest.raises(ValueError, match=r"is no time: .*\.$"):
        first_moment(text)


@given(moments, st.sampled_from(FORMS))
def test_every_moment_can_be_written_and_read(moment: datetime, form: str) -> None:
    text = moment.strftime(form)
    begins = first_moment(text)
    assert begins <= moment.replace(tzinfo=UTC)
    assert begins.strftime(form) == text
    assert in_words(text).endswith(str(moment.year))


def ends(text: str) -> datetime:
    """The last second of a time, the slow way."""
    late = ("-12", "-31", "T23:59:59Z")
    while len(text) < len("2026-03-01T12:00:00Z"):
        part = late[{4: 0, 7: 1, 10: 2}[len(text)]]
        for day in ("-31", "-30", "-29", "-28") if part == "-31" else (part,):
            try:
                first_moment(text + day)
            except ValueError:
                continue
            text += day
            break
    return first_moment(text)


@given(moments, moments, st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_earlier_is_what_ends_before_the_other_begins(
    one: datetime, other: datetime, form: str, other_form: str
) -> None:
    first, second = one.strftime(form), other.strftime(other_form)
    assert is_earlier(first, second) == (ends(first) < first_moment(second))
