"""Whom the collector visits, and what it remembers of them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hakken.collecting.people import ABSENT_DAYS, DAY, People, Person
from hakken.errors import StorageError

NOW = 1_800_000_000


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with People.of(tmp_path) as opened:
        yield opened


def next_name(people: People, now: int) -> str | None:
    person = people.next(now)
    return person and person.name


def the_next(people: People, now: int) -> Person:
    person = people.next(now)
    assert person
    return person


def test_new_people_come_first_then_who_waits_longest(people: People) -> None:
    assert people.add(["spike", "faye", "SPIKE"], NOW) == 2
    people.keep(the_next(people, NOW), b"", 3, NOW, NOW + 10)
    people.keep(the_next(people, NOW), b"", 4, NOW, NOW + 5)
    assert people.next(NOW) is None
    assert people.add(["spike", "jet"], NOW + 20) == 1
    assert next_name(people, NOW + 30) == "jet"
    assert (people.due(NOW + 30), people.due(NOW + 30, 2)) == (3, 2)
    people.postpone(the_next(people, NOW + 30), NOW + 90)
    assert next_name(people, NOW + 30) == "faye"
    assert people.known() == (2, 1, 0, 7, NOW)


def test_who_is_absent_is_visited_ever_more_seldom_until_they_are_back(people: People) -> None:
    people.add(["ed"], NOW)
    now = NOW
    for days in (ABSENT_DAYS, 2 * ABSENT_DAYS, 4 * ABSENT_DAYS):
        people.absent(the_next(people, now), now)
        assert people.next(now + days * DAY - 1) is None
        now += days * DAY
    people.keep(the_next(people, now), b"", 1, now, now)
    people.absent(the_next(people, now), now)
    assert next_name(people, now + ABSENT_DAYS * DAY) == "ed"


def test_lists_never_go_back_in_time_though_the_clock_does(people: People) -> None:
    people.add(["ein"], NOW)
    people.keep(the_next(people, NOW), b"1", 1, NOW, NOW)
    people.keep(the_next(people, NOW), b"2", 1, NOW - 400 * DAY, NOW)
    assert [(listed, entries) for _, listed, entries in people.lists()] == [(NOW + 1, b"2")]


def test_lists_are_in_one_part_only_whenever_a_process_ends(people: People) -> None:
    people.add(["spike"], NOW)
    people.keep(the_next(people, NOW), b"1", 1, NOW, NOW)
    assert people.next_part() == people.next_part() == 1, "written again over the same file until it counts"
    people.moved(1)
    assert (people.lists(), people.n_lists(), people.next_part()) == ([], 0, 2)


def test_who_was_forgotten_is_never_added_again(people: People, tmp_path: Path) -> None:
    people.add(["Vicious"], NOW)
    people.keep(the_next(people, NOW), b"1", 1, NOW, NOW)
    people.forget("vicious")
    assert people.forgotten() == {people.key_of("VICIOUS")}
    assert people.lists() == []
    assert people.add(["Vicious"], NOW) == 0
    people.erased()
    assert people.forgotten() == set()
    assert people.add(["Vicious"], NOW) == 0
    assert b"icious" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_two_runs_keep_apart_and_what_is_no_database_is_a_sentence(people: People, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Another run"), People.of(tmp_path):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "names.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="not a database"), People.of(tmp_path / "other"):
        pass


def test_a_list_that_the_disk_has_no_room_for_is_not_counted(people: People, tmp_path: Path) -> None:
    people.add(["spike"], NOW)
    full = "CREATE TRIGGER full BEFORE UPDATE ON people BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
    with sqlite3.connect(tmp_path / "names.sqlite") as other:
        other.execute(full)
    with pytest.raises(sqlite3.Error, match="full"):
        people.keep(the_next(people, NOW), b"1", 1, NOW, NOW)
    assert people.lists() == []
