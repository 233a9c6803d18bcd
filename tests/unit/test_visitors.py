"""Visitors with little to go by, or a great deal: each gets a sensible list and an honest sentence."""

import numpy as np
import pytest

from hakken.bundle import ModelBundle
from hakken.ratings import Preferences, Rating, Recommendations, Status, UserList
from hakken.recommend import recommend

TOP = 20


def known(bundle: ModelBundle, n: int, seed: int = 0) -> list[int]:
    """Ids of some well-known titles."""
    watchers = bundle.model.arrays.watchers
    popular = np.argsort(-watchers, kind="stable")[: max(300, 2 * n)]
    rows = np.random.default_rng(seed).choice(popular, n, replace=False)
    ids: list[int] = bundle.model.arrays.anime_ids[rows].tolist()
    return ids


def answered(bundle: ModelBundle, entries: list[Rating]) -> Recommendations:
    """What a list gets, once it was checked for what every list must hold to."""
    result = recommend(UserList.of(entries), bundle, Preferences(n=TOP))
    shown = [one.anime_id for one in result.recommendations]
    assert len(shown) == len(set(shown)) == TOP
    assert not set(shown) & {one.anime_id for one in entries if one.seen}
    matches = [one.match for one in result.recommendations]
    assert matches == sorted(matches, reverse=True)
    assert all(one.predicted_rating and 1 <= one.predicted_rating <= 10 for one in result.recommendations)
    popularity = bundle.model.popularity[bundle.model.rows_of(shown)[0]]
    assert popularity.min() >= 0.003  # nothing that hardly anyone has heard of
    return result


@pytest.mark.parametrize("n", [1, 3])
def test_a_few_scores(embedded: ModelBundle, n: int) -> None:
    entries = [Rating(anime_id, 9) for anime_id in known(embedded, n)]
    result = answered(embedded, entries)
    assert result.personal
    assert any(f"This rests on {n} scored title" in note for note in result.notes)
    assert {why.anime_id for one in result.recommendations for why in one.reasons} == {one.anime_id for one in entries}
    other = answered(embedded, [Rating(anime_id, 9) for anime_id in known(embedded, n, seed=1)])
    assert [one.anime_id for one in other.recommendations] != [one.anime_id for one in result.recommendations]


@pytest.mark.parametrize("score", [1, 5, 10])
def test_all_scores_equal(embedded: ModelBundle, score: int) -> None:
    """Someone who gives everything the same score says by watching what they like."""
    ids = known(embedded, 60)
    equal = [one.anime_id for one in answered(embedded, [Rating(one, score) for one in ids]).recommendations]
    unscored = [one.anime_id for one in answered(embedded, [Rating(one) for one in ids]).recommendations]
    assert len(set(equal) & set(unscored)) >= TOP // 2


def test_only_dropped_titles(embedded: ModelBundle) -> None:
    ids = known(embedded, 5)
    result = answered(embedded, [Rating(anime_id, 2, Status.DROPPED) for anime_id in ids])
    assert not result.continues
    liked = answered(embedded, [Rating(anime_id, 9) for anime_id in ids])
    shown = {one.anime_id for one in result.recommendations}
    assert not shown & {one.anime_id for one in liked.recommendations[:5]}


def test_nearly_everything_seen(embedded: ModelBundle) -> None:
    """Five thousand titles: what is left may be obscure, and the list is shorter only when nothing is."""
    ids = known(embedded, 5_000)
    entries = [Rating(anime_id, 4 + anime_id % 7) for anime_id in ids]
    result = recommend(UserList.of(entries), embedded, Preferences(n=TOP))
    assert len(result.recommendations) == TOP
    assert not {one.anime_id for one in result.recommendations} & set(ids)
