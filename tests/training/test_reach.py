"""Who could have watched what, and how popular that makes a title: against loops over people and titles."""

from datetime import date

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hakken.training.reach import list_years, popularity, popularity_line
from hakken.training.tables import RatingTable
from tests.training import learning_oracle as oracle

counts, members = st.integers(0, 60), st.sampled_from([0, 1, 2, 40, 5_000, 5_001, 4_000_000])


@pytest.mark.parametrize(("n_dated", "reached"), [(1, 2000), (19, 2018), (20, 2017), (25, 2022)])
def test_a_long_list_is_dated_by_its_third_newest_title(n_dated: int, reached: int) -> None:
    """And a short one by its newest; what is of unknown year counts neither way."""
    n = n_dated + 5
    items, zeros = np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.int32)
    table = RatingTable(items + 1, 1, zeros, items, zeros.astype(np.int8), n)
    of_items = np.array([*range(2000, 2000 + n_dated), *[0] * 5], dtype=np.int64)
    assert list_years(table, np.ones(n, dtype=np.bool_), of_items).tolist() == [reached]


@settings(max_examples=100)
@given(day=st.dates(date(1970, 1, 2), date(2040, 12, 31)))
def test_an_update_dates_a_list_by_the_calendar(day: date) -> None:
    """To the day: the first of January is no day of the year before."""
    for one in (day, day.replace(month=1, day=1), day.replace(month=12, day=31)):
        zero = np.zeros(1, dtype=np.int32)
        updated = np.array([(one - date(1970, 1, 1)).days], dtype=np.int32)
        table = RatingTable(zero + 1, 1, zero, zero, zero.astype(np.int8), 1, updated=updated)
        if updated[0]:
            assert list_years(table, np.ones(1, dtype=np.bool_), np.array([1990])).tolist() == [one.year]


@settings(max_examples=300)
@given(titles=st.lists(st.tuples(counts, counts, members), min_size=1, max_size=12))
@example([(20, 0, 5_000), (20, 60, 5_001), (0, 60, 1)])  # the line falls off a cliff
@example([(0, 0, 1), *[(20, 0, 5_000)] * 6])  # the mean of six equal sizes is rounded
def test_popularity_is_that_of_the_formula_and_always_a_part(titles: list[tuple[int, int, int]]) -> None:
    watchers, more, sizes = (np.array(column) for column in zip(*titles, strict=True))
    counted = watchers.astype(np.int32), (watchers + more).astype(np.int32), sizes
    found = popularity(*counted, popularity_line(*counted))
    assert found.dtype == np.float32
    assert ((found > 0) & (found <= 1)).all()
    expected = oracle.popularity(watchers.tolist(), (watchers + more).tolist(), sizes.tolist())
    np.testing.assert_allclose(found, expected, rtol=1e-4)
