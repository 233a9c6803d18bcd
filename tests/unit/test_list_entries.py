"""Entries of lists as anyone writes them: whatever they say, an anime whose id can be read counts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.list_entries import MAX_POINTS, NOT_SCORED, STATUSES, Entry, anime_id_of, points_of, read_list, status_of
from hakken.ratings import MAX_ANIME_ID, Rating, Status, UserList
from tests.serving import ROOT

SPELLINGS = {
    Status.WATCHING: [
        "Watching",
        "WATCHING",
        "Currently Watching",
        "CURRENT",
        "current",
        "Reading",
        "1",
        1,
        1.0,
        " 1 ",
    ],
    Status.COMPLETED: ["Completed", "REPEATING", "Rewatching", "re-watching", "watched", "2", 2, "", "  ", None],
    Status.ON_HOLD: ["On-Hold", "On Hold", "on_hold", "onhold", "ON HOLD", "PAUSED", "stalled", "3", 3],
    Status.DROPPED: ["Dropped", "DROPPED", "won't watch", "4", 4],
    Status.PLAN_TO_WATCH: [
        *("Plan to Watch", "Plan To Watch", "plan_to_watch", "PlanToWatch", "plan-to-watch", "Plan to Read"),
        *("PLANNING", "planned", "PTW", "6", 6, 6.0),
    ],
}


@pytest.mark.parametrize(("status", "text"), [(status, text) for status, texts in SPELLINGS.items() for text in texts])
def test_statuses_as_programs_write_them(status: Status, text: object) -> None:
    assert status_of(text) is status


@pytest.mark.parametrize(
    "text", ["?", "5", 5, "Terminé", "0", 1.5, True, [], {}, "watching it", "x" * 10**6, "٢", float("nan")]
)
def test_other_words_are_no_status(text: object) -> None:
    assert status_of(text) is None
    assert read_list([Entry(5, 8, text)]) == UserList((Rating(5, 8),), unclear=1)


@pytest.mark.parametrize(
    ("written", "score"),
    [
        *(("9.5", 10), ("8.3", 8), ("7.5", 8), ("6.8", 7), ("9.0", 9), ("8,5", 9), (".4", 1), (0.4, 1), ("10", 10)),
        *((8.5, 9), (7.49, 7), (9, 9), ("+7", 7), (" 7 ", 7), ("7.", 7), ("08", 8)),
        *((None, 0), (0, 0), ("0", 0), ("", 0), (-1, 0), ("-1", 0), ("None", 0), ("-", 0), ("Not scored", 0)),
    ],
)
def test_scores_are_rounded_half_up(written: object, score: int) -> None:
    assert read_list([Entry(5, written)]) == UserList((Rating(5, score),))


@pytest.mark.parametrize(
    "written",
    ["ten", "9/10", "★★★", "101", 101, -2, "-2", "1e1", True, [8], {}, float("nan"), float("inf"), 10**400, "٣"],
)
def test_other_scores_are_none_and_are_told(written: object) -> None:
    assert read_list([Entry(5, written), Entry(6, 7)]) == UserList((Rating(5), Rating(6, 7)), unclear=1)


@pytest.mark.parametrize(
    ("written", "highest", "scores"),
    [
        ((95, 100, 88, 73, 55, 0), None, (10, 10, 9, 7, 6, 0)),
        ((10.5, 4, 1), None, (1, 1, 1)),
        ((10, 5), None, (10, 5)),
        ((5, 4.5, 3), None, (5, 5, 3)),  # a strict person's highest score may be 5
        ((5, 4.5, 3, 0), 5, (10, 9, 6, 0)),
        ((20, 17, 1), 20, (10, 9, 1)),
        ((3, 2, 1), 3, (10, 7, 3)),
        ((10, 11), 10, (10, 0)),
    ],
)
def test_scores_of_other_formats(written: tuple[float, ...], highest: float | None, scores: tuple[int, ...]) -> None:
    user_list = read_list([Entry(n, one) for n, one in enumerate(written, 1)], highest=highest)

    assert tuple(one.score for one in user_list.ratings) == scores
    assert user_list.unclear == (0 if highest is None else sum(one > highest for one in written))


@pytest.mark.parametrize(
    ("written", "anime_id"),
    [
        *((5, 5), ("5", 5), (" 5\n", 5), (5.0, 5), ("5.0", 5), (MAX_ANIME_ID, MAX_ANIME_ID)),
        *((value, None) for value in (0, -5, MAX_ANIME_ID + 1, "five", "", None, 5.5, True, [5], "5-6", float("inf"))),
    ],
)
def test_ids(written: object, anime_id: int | None) -> None:
    assert anime_id_of(written) == anime_id


def test_the_first_readable_id_is_taken() -> None:
    fields = {"series_animedb_id": "", "anime_id": None, "mal_id": 7, "media": {"idMal": 8}, "node": 9, "score": {}}

    assert Entry.of(fields) == Entry(7, {}, None)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**308, 10**310) | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=5,
)


@given(st.integers(1, MAX_ANIME_ID), ANYTHING, ANYTHING, st.sampled_from([None, 5, 10, 20, 100]))
def test_an_entry_with_a_readable_id_is_never_lost(
    anime_id: int, score: object, status: object, highest: float
) -> None:
    user_list = read_list([Entry(anime_id, score, status)], highest=highest)

    assert not user_list.skipped
    (rating,) = user_list.ratings
    assert rating.anime_id == anime_id
    assert 0 <= rating.score <= 10
    assert rating.seen or status_of(status) is Status.PLAN_TO_WATCH
    points = points_of(score)
    is_score = points is not None and points <= (highest or MAX_POINTS)
    assert user_list.unclear == (status_of(status) is None or not is_score)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_no_entry_is_no_error(anime_id: object, score: object, status: object) -> None:
    user_list = read_list([Entry(anime_id, score, status)])

    assert len(user_list) + user_list.skipped == 1


def test_the_page_about_list_files_names_all_that_is_understood() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs/reference/list-files.md").read_text(), re.MULTILINE)
    told = {name.strip(): {word.lower() for word in re.findall(r"`([^`]+)`", words)} for name, words in rows}

    for status, words in STATUSES.items():
        assert told[status.value.replace("_", " ")] == set(words)
    assert told["not scored"] == {word for word in NOT_SCORED if word} | {"0"}
