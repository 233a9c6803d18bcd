"""What else moved a title's match, beside the entries of the visitor's list: in words, and by how much.

The trees' part of the match is the product of what each feature adds (`hakken.model.trees`), so the features of one
subject make one factor, and the factors of all subjects make the whole of it.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from hakken.model.arrays import Float64s
from hakken.model.trees import FACTORS, FEATURES, POPULARITY, PREFERENCE, RATING, SERIES, TIME
from hakken.ratings import Effect

LEAST = 0.05
"""An effect is told if it makes the match larger or smaller by at least so much, as a logarithm."""
CLEARLY = 0.5
"""Difference of ln q_i from a list's from which a title is called more widely watched, or less: a factor of 1.6."""
OLD, NEW = 1 / 4, 3 / 4
"""Parts of the list with a lower id, up to which a title is called older than most of it, and from which newer."""
Known = Mapping[str, float]
"""A title's features by their names."""


def _popularity(known: Known) -> str:
    above = known["popularity above the list's"]
    if abs(above) < CLEARLY:
        return "about as widely watched as your list"
    return f"{'more' if above > 0 else 'less'} widely watched than most of your list"


def _time(known: Known) -> str:
    place = known["place among ids"]
    if OLD < place < NEW:
        return "from the same years as most of your list"
    return f"{'newer' if place >= NEW else 'older'} than most of your list"


def _series(known: Known) -> str:
    if known["series begun"]:
        return (
            "continues a series that you have started"
            if known["parts ahead"] > 0
            else "an earlier part of a series that you have started"
        )
    if known["universe begun"]:
        return "from a universe that you know"
    return "not the beginning of its series" if known["part"] > 1 else "a series that is new to you"


def _rating(known: Known) -> str:
    return f"you would rate it {'above' if known['rating above the mean'] >= 0 else 'below'} your average"


WORDS = {POPULARITY: _popularity, TIME: _time, SERIES: _series, RATING: _rating}
"""What is said of a title, by subject."""
OF_THE_LIST = (PREFERENCE, FACTORS)
"""The other subjects: what the list itself says, by its entries and as a whole, which the reasons tell."""


def by_subject(contributions: Float64s) -> dict[str, Float64s]:
    """Sum contributions, `(n_features, n)`, by what the features are about: `(n,)` each."""
    subjects = np.array(list(FEATURES.values()))
    return {one: contributions[subjects == one].sum(axis=0) for one in (*OF_THE_LIST, *WORDS)}


def effects(features: Float64s, added: dict[str, Float64s]) -> Iterator[tuple[Effect, ...]]:
    """The effects on each of some titles, the strongest first.

    Args:
        features: `(n_features, n)`.
        added: what each subject adds to the logarithm of the match, `(n,)`.
    """
    subjects, logs = tuple(WORDS), np.stack([added[subject] for subject in WORDS], axis=1)
    strength = np.abs(logs)
    strongest, n_told = np.argsort(-strength, axis=1, kind="stable"), np.count_nonzero(strength >= LEAST, axis=1)
    columns = (features.T, np.exp(logs), strongest, n_told)
    for values, factors, order, n in zip(*(column.tolist() for column in columns), strict=True):
        known = dict(zip(FEATURES, values, strict=True))
        yield tuple([Effect(subjects[at], factors[at], WORDS[subjects[at]](known)) for at in order[:n]])
