"""Seasons, as addresses, sites and calendars have them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.seasons import Season

seasons = st.builds(Season, st.integers(1900, 2199), st.integers(0, 3))


@given(one=seasons, other=seasons)
def test_a_season_is_read_as_it_is_written_and_numbers_go_by_time(one: Season, other: Season) -> None:
    assert Season.of(str(one)) == Season.named(one.words) == Season.named(one.words.upper()) == one
    assert Season.numbered(one.number) == one
    assert (one < other) == (one.number < other.number) == (one.first_month < other.first_month)
    first = date.fromisoformat(f"{one.first_month}-01")
    assert Season.at(first) == one != Season.at(first - timedelta(days=1))


def test_the_words_are_those_of_the_calendar() -> None:
    days = ((date(2024, 3, 31), "Winter 2024"), (date(2024, 4, 1), "Spring 2024"), (date(2026, 11, 27), "Fall 2026"))
    assert [Season.at(day).words for day, _ in days] == [words for _, words in days]
    assert str(Season(2024, 1)) == "2024-spring"


@pytest.mark.parametrize("text", ["2024", "spring-2024", "2024-Spring", "2024-spring\n", "1899-fall", "20240-fall"])
def test_what_is_no_season(text: str) -> None:
    with pytest.raises(ValueError, match=text[:4]):
        Season.of(text)
    assert Season.named(text) is None
    assert Season.named("Spring") is None
