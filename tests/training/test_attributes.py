"""What titles are like, and what that says of their weights: against the formulas written out."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from hakken.catalogue import Anime, Catalogue, Related
from hakken.training.attributes import (
    AttributeFit,
    attributes_of,
    judged_by_attributes,
    mixing,
    siblings_of,
)
from tests.training import learning_oracle as oracle

SHOW = Anime(anime_id=5, title="A show", type="TV", genres=("Drama",))


@pytest.mark.parametrize(
    ("change", "judged"),
    [
        ({}, True),
        ({"type": None}, True),
        ({"type": "Special"}, True),
        ({"title": "Recapitulation: Summaryland"}, True),
        ({"genres": ()}, False),
        ({"adult": True}, False),
        ({"type": "Music"}, False),
        ({"type": "CM"}, False),
        ({"type": "PV"}, False),
        ({"title": "A show: Recap"}, False),
        ({"title": "A Show Soushuuhen"}, False),
        ({"title": "A show", "title_english": "Highlights: a show"}, False),
        ({"title_english": "A show DIGEST"}, False),
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


words = st.sampled_from(["a", "b", "c"])
some_words = st.lists(words, max_size=3).map(tuple)
some_anime = st.lists(
    st.builds(
        Anime,
        anime_id=st.integers(1, 20),
        title=st.just("x"),
        genres=some_words,
        tags=some_words,
        studios=some_words,
        made_from=st.none() | words,
        type=st.none() | words,
        year=st.none() | st.integers(1998, 2006),
    ),
    max_size=8,
    unique_by=lambda one: one.anime_id,
)


@settings(max_examples=100)
@given(data=st.data(), anime=some_anime, min_titles=st.integers(1, 4))
def test_attributes_are_those_that_many_have(data: st.DataObject, anime: list[Anime], min_titles: int) -> None:
    """Counted among some items only, and said of all; an anime that nobody knows has what all have."""
    ids = np.arange(1, 21, dtype=np.int32)
    counted = np.array(data.draw(st.lists(st.booleans(), min_size=20, max_size=20)))
    catalogue = Catalogue(anime)
    found = attributes_of(ids, catalogue, counted, min_titles)
    named = [oracle.attributes(catalogue.anime(anime_id)) for anime_id in ids.tolist()]
    among = [names for names, counts in zip(named, counted.tolist(), strict=True) if counts]
    frequent = sorted(name for name in set().union(*named) if sum(name in names for names in among) >= min_titles)
    assert found.has_canonical_format
    dense = [[float(name in names) for name in frequent] for names in named]
    np.testing.assert_array_equal(found.toarray(), np.array(dense).reshape(20, len(frequent)))


@settings(max_examples=60)
@given(data=st.data(), n=st.integers(1, 9), n_attributes=st.integers(0, 4), seed=st.integers(0, 10**6))
def test_the_regression_is_least_squares_however_it_is_added_up(
    data: st.DataObject, n: int, n_attributes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a = (rng.random((n, n_attributes)) < 0.5).astype(np.float64)
    series = data.draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    watchers, popular = rng.integers(1, 200, n), rng.uniform(0.01, 1, n)
    # Some of a series are no titles that have weights, and count among the others all the same.
    strangers = data.draw(st.lists(st.integers(1, 4), max_size=3))
    siblings = siblings_of(np.array([*series, *strangers], dtype=np.int64))[:n][:, :n]
    weights = rng.normal(loc=0.1, size=(n, n))
    np.fill_diagonal(weights, 0.0)
    regulariser = data.draw(st.sampled_from([0.5, 20.0]))

    fit = AttributeFit(csr_array(a), siblings, watchers.astype(np.int32), popular.astype(np.float32))
    cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=3))})
    for first, last in pairwise(cuts):
        fit.add(first, weights[first:last])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hakken.training.attributes.PAIRS_AT_ONCE", 3)
        solved, of_siblings = fit.solve(regulariser)

    expected = oracle.ridge(a, weights, watchers.tolist(), popular.tolist(), regulariser)
    assert solved.dtype == np.float32
    np.testing.assert_allclose(solved, expected, rtol=1e-3, atol=1e-4)
    everyone = [*series, *strangers]
    others = {
        (i, j): everyone.count(series[i]) - 1 for i in range(n) for j in range(n) if i != j and series[i] == series[j]
    }
    wanted = oracle.siblings_weight(a, weights, watchers.tolist(), popular.tolist(), expected, others)
    assert of_siblings == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_a_series_weighs_nothing_where_its_titles_say_less_of_each_other_than_attributes() -> None:
    siblings = siblings_of(np.array([1, 1]))
    fit = AttributeFit(csr_array((2, 0)), siblings, np.array([9, 9], dtype=np.int32), np.ones(2, dtype=np.float32))
    fit.add(0, np.array([[0.0, -1.0], [-1.0, 0.0]]))
    assert fit.solve(1.0)[1] == 0.0


@settings(max_examples=60)
@given(support=st.floats(0.5, 50), q=st.floats(1e-4, 1))
def test_each_watcher_moves_a_title_from_its_attributes_to_its_own_weights(support: float, q: float) -> None:
    """Its own part rises from 0 to 1, what attributes say falls from q to 0, and neither ever turns back."""
    watchers = np.arange(5_000, dtype=np.int32)
    same = np.full(5_000, q, dtype=np.float32)
    own, share = mixing(watchers, same, np.ones(5_000, dtype=np.bool_), support)
    assert own[0] == 0
    assert share[0] == pytest.approx(q)
    assert (np.diff(own) >= 0).all()
    assert (np.diff(own).max()) <= max(0.0201, 1 / (1 + support) + 1e-9)
    assert (np.diff(share) <= 0).all()
    np.testing.assert_allclose(own + share / q, 1.0, rtol=1e-5)
    expected = watchers / (watchers + support)
    mixed = 1 - expected >= 0.02
    np.testing.assert_allclose(own[mixed], expected[mixed])
    assert (own[~mixed] == 1).all()
    assert not share[~mixed].any()
