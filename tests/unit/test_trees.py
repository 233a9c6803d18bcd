"""Trees and what they add, against plain loops over their arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.model.arrays import Array, Float64s
from hakken.model.trees import FEATURES, N_SPLITS, Trees
from hakken.recommend.effects import OF_THE_LIST, WORDS, by_subject, effects

N_FEATURES = len(FEATURES)
VALUES = [-1.0, 0.0, 0.5, 1.0, 2.5]
"""Of features and of borders: often equal."""


@st.composite
def trees(draw: st.DrawFn) -> tuple[Array, Float64s, Float64s]:
    """Arrays of some trees or none, in which splits may be missing and features may repeat."""
    n_trees = draw(st.integers(0, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    features = rng.integers(0, draw(st.sampled_from([2, N_FEATURES])), (n_trees, N_SPLITS)).astype(np.uint8)
    borders = rng.choice([*VALUES, np.inf], (n_trees, N_SPLITS))
    return features, borders, rng.normal(size=(n_trees, 2**N_SPLITS, N_SPLITS))


def added_by(arrays: tuple[Array, Float64s, Float64s], title: list[float]) -> list[float]:
    """What each feature of a title adds, by loops."""
    found = [0.0] * len(title)
    for features, borders, parts in zip(*(array.tolist() for array in arrays), strict=True):
        outcome = sum(2**k for k in range(N_SPLITS) if title[features[k]] > borders[k])
        for k in range(N_SPLITS):
            found[features[k]] += parts[outcome][k]
    return found


@settings(max_examples=200)
@given(arrays=trees(), n_titles=st.integers(0, 5), seed=st.integers(0, 10**6))
def test_contributions_are_those_of_the_paths_and_add_up(
    arrays: tuple[Array, Float64s, Float64s], n_titles: int, seed: int
) -> None:
    features = np.random.default_rng(seed).choice(VALUES, (N_FEATURES, n_titles))
    made = Trees.of(*arrays)
    expected = np.array([added_by(arrays, title) for title in features.T.tolist()]).reshape(n_titles, N_FEATURES).T
    contributions = made.contributions(features)
    np.testing.assert_allclose(contributions, expected, atol=1e-12)
    np.testing.assert_allclose(made.evaluate(features), expected.sum(axis=0), atol=1e-12)
    subjects = by_subject(contributions)
    assert set(subjects) == set(FEATURES.values()) == {*OF_THE_LIST, *WORDS}
    np.testing.assert_allclose(sum(subjects.values()), expected.sum(axis=0), atol=1e-12)
    for subject, total in subjects.items():
        of_it = [at for at, name in enumerate(FEATURES) if FEATURES[name] == subject]
        np.testing.assert_allclose(total, expected[of_it].sum(axis=0), atol=1e-12)


def test_an_effect_is_told_if_it_is_more_than_a_little_the_strongest_first() -> None:
    features = np.zeros((N_FEATURES, 3))
    features[[*FEATURES].index("place among ids")] = 0.9, 0.5, 0.1
    features[[*FEATURES].index("popularity above the list's")] = 1.0, 0.1, -1.0
    features[[*FEATURES].index("rating above the mean")] = -0.5, 0.0, 0.5
    added = {
        "preference": np.array([9.0, 9.0, 9.0]),
        "popularity": np.array([-0.2, 0.0, 0.3]),
        "time": np.array([0.5, 0.04, 0.2]),
        "series": np.array([0.0, -0.049, 0.25]),
        "rating": np.array([-0.9, 0.0, 0.051]),
        "factors": np.array([9.0, -9.0, 9.0]),
    }
    first, second, third = effects(features, added)
    assert [(one.subject, one.words) for one in first] == [
        ("rating", "you would rate it below your average"),
        ("time", "newer than most of your list"),
        ("popularity", "more widely watched than most of your list"),
    ]
    assert [one.factor for one in first] == pytest.approx(np.exp([-0.9, 0.5, -0.2]).tolist())
    assert second == ()
    assert [one.subject for one in third] == ["popularity", "series", "time", "rating"]
    assert third[0].words == "less widely watched than most of your list"
    assert third[1].words == "a series that is new to you"


@pytest.mark.parametrize(
    ("begun", "ahead", "universe", "part", "words"),
    [
        (1, 1, 1, 3, "continues a series that you have started"),
        (1, -1, 1, 1, "an earlier part of a series that you have started"),
        (0, 2, 1, 2, "from a universe that you know"),
        (0, 2, 0, 2, "not the beginning of its series"),
        (0, 1, 0, 1, "a series that is new to you"),
    ],
)
def test_what_is_said_of_a_series(begun: int, ahead: int, universe: int, part: int, words: str) -> None:
    known = dict.fromkeys(FEATURES, 0.0)
    known |= {"series begun": begun, "parts ahead": ahead, "universe begun": universe, "part": part}
    features = np.array(list(known.values()))[:, np.newaxis]
    [(told,)] = effects(features, {subject: np.array([float(subject == "series")]) for subject in WORDS})
    assert told.words == words
