"""Finding series takes time in proportion to the number of titles, equal ones too, and none to how long they are."""

from collections.abc import Callable

import pytest

from hakken.catalogue import Anime
from hakken.series import similarity
from hakken.series.similarity import AnimeTitles, Closeness
from hakken.series.title_links import title_links
from hakken.series.title_parts import LONGEST, ParsedTitle

N = 300
LIGATURE = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"
"""One sign that stands for eighteen, three spaces among them."""


def anime(number: int, title: str, studio: str = "one") -> Anime:
    return Anime(anime_id=number, title=title, type="TV", genres=("Action",), studios=(studio,))


@pytest.mark.parametrize(
    "named",
    [
        lambda number: anime(number, "Untitled"),
        lambda number: anime(number, f"Untitled: Subtitle{number}"),
        lambda number: anime(number, f"Untitled Work Word{number}"),
        lambda number: anime(number, f"Untitled Work Word{number}", studio=f"of {number // 50}"),
        lambda number: anime(number, "Untitled" if number <= N // 10 else f"Untitled {number}: Word{number}"),
        lambda number: anime(number, f"Untitled{number // 50}"),
        lambda number: anime(number, f"Word{number}Untitled" if number > 1 else "Untitled"),
    ],
)
def test_twice_as_many_titles_are_compared_at_most_twice_as_often(
    named: Callable[[int], Anime], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def counted(one: AnimeTitles, other: AnimeTitles) -> float:
        compared.append((one, other))
        return 1.0

    monkeypatch.setattr(similarity, "similarity", counted)
    found = []
    for n in (N, 2 * N):
        compared.clear()
        title_links(AnimeTitles.of(named(number)) for number in range(1, n + 1))
        found.append(len(compared))
    assert found[1] <= 2 * found[0] + N


@pytest.mark.parametrize("piece", ["x", "x ", "2 ", "x: ", " (", "- ", LIGATURE])
def test_a_long_title_is_taken_apart_into_no_more_than_one_of_the_greatest_length(piece: str) -> None:
    title = ParsedTitle.of("x " + piece * 8000)
    assert len("".join(title.words)) <= LONGEST
    assert title == ParsedTitle.of(("x " + piece * 8000)[:LONGEST])


def test_titles_that_differ_where_nobody_looks_are_the_same() -> None:
    begin = "x" * LONGEST
    found = title_links([AnimeTitles.of(anime(1, begin + " one")), AnimeTitles.of(anime(2, begin + " other"))])
    assert found == {(1, 2): Closeness.SAME}
