"""What titles are like, and what that says of their weights: against the formulas written out."""

import msgspec
import numpy as np
import pytest
from scipy.sparse import csr_array

from hakken.catalogue import Anime, Catalogue, Related
from hakken.training.attributes import AttributeFit, frequent_attributes, judged_by_attributes, siblings_of

SHOW = Anime(anime_id=5, title="A show", type="TV", genres=("Drama",))


@pytest.mark.parametrize(
    ("judged", "change"),
    [
        *((True, one) for one in ({}, {"type": None}, {"type": "Special"}, {"title": "Recapitulation: Summaryland"})),
        *((False, one) for one in ({"genres": ()}, {"adult": True}, {"type": "Music"}, {"type": "CM"}, {"type": "PV"})),
        *((False, {"title": title}) for title in ("A show: Recap", "A Show Soushuuhen")),
        *((False, {"title_english": title}) for title in ("Highlights: a show", "A show DIGEST")),
    ],
)
def test_what_is_judged_by_attributes(change: dict[str, object], judged: bool) -> None:
    one = msgspec.structs.replace(SHOW, **change)
    assert judged_by_attributes(Catalogue([one])).tolist() == [5] * judged


@pytest.mark.parametrize(
    ("relation", "confidence", "judged"),
    [("Summary", None, False), ("Summary", 0.5, False), ("Summary", 0.4, True), ("Full story", None, True)],
)
def test_what_another_says_is_its_summary_is_not_judged(relation: str, confidence: float | None, judged: bool) -> None:
    """The one that is retold is; and so is a summary that is hardly likely to be one."""
    retold = msgspec.structs.replace(SHOW, anime_id=9, relations=(Related(5, relation, confidence),))
    found = judged_by_attributes(Catalogue([retold, SHOW]))
    assert found.dtype == np.int32
    assert found.tolist() == ([5, 9] if judged else [9])


def test_attributes_are_those_that_sixty_titles_have_each_counted_once() -> None:
    titles = [
        Anime(anime_id=n, title="", genres=("Drama", "Drama") if n < 60 else ("Action",), tags=("Space",)[: n < 61])
        for n in range(1, 121)
    ]
    found = frequent_attributes(np.arange(1, 121, dtype=np.int32), Catalogue(titles))
    assert found == ("any", "genre Action", "tag Space")


def test_a_series_weighs_nothing_where_its_titles_say_less_of_each_other_than_attributes() -> None:
    siblings = siblings_of(np.array([1, 1]))
    fit = AttributeFit(csr_array((2, 0)), siblings, np.array([9, 9], dtype=np.int32), np.ones(2, dtype=np.float32))
    fit.add(0, np.array([[0.0, -1.0], [-1.0, 0.0]]))
    assert fit.solve(1.0)[1] == 0.0
