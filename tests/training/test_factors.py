"""Factors of titles, against alternating least squares written out."""

import dataclasses

import numpy as np
import pytest

from hakken.model.arrays import Float64s
from hakken.model.factors import CONFIDENCE, REGULARISER
from hakken.training import factors
from hakken.training.factors import item_factors
from hakken.training.tables import RatingTable

N_USERS, N_TITLES, N_KINDS = 150, 40, 4


@pytest.fixture(scope="module")
def table() -> RatingTable:
    """People who mostly watch titles of one of four kinds, title i being of kind i mod 4."""
    rng = np.random.default_rng(5)
    likes = np.arange(N_USERS)[:, np.newaxis] % N_KINDS == np.arange(N_TITLES) % N_KINDS
    users, items = np.nonzero(rng.random((N_USERS, N_TITLES)) < np.where(likes, 0.7, 0.05))
    ids = np.arange(10, 10 + N_TITLES, dtype=np.int32)
    scores = np.full(len(users), 7, dtype=np.int8)
    names = rng.permutation(N_USERS).tolist()
    return RatingTable(ids, N_USERS, users.astype(np.int32), items.astype(np.int32), scores, len(users), user_ids=names)


def loss(watched: Float64s, people: Float64s, titles: Float64s) -> float:
    """Σ c_ui (l_ui − z_u · y_i)² + λ (Σ |z_u|² + Σ |y_i|²)."""
    confidence = np.where(watched > 0, CONFIDENCE, 1.0)
    error = float((confidence * (watched - people @ titles.T) ** 2).sum())
    return error + REGULARISER * float((people**2).sum() + (titles**2).sum())


def best_for(watched: Float64s, fixed: Float64s) -> Float64s:
    """The rows that make the loss least while the other side is fixed, one after another."""
    found = np.zeros((len(watched), fixed.shape[1]))
    for row, wanted in enumerate(watched):
        confidence = np.diag(np.where(wanted > 0, CONFIDENCE, 1.0))
        left = fixed.T @ confidence @ fixed + REGULARISER * np.eye(fixed.shape[1])
        found[row] = np.linalg.inv(left) @ fixed.T @ confidence @ wanted
    return found


def lists_of(table: RatingTable) -> Float64s:
    watched = np.zeros((table.n_users, len(table.anime_ids)))
    watched[table.users, table.items] = 1.0
    return watched


def everything(table: RatingTable) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(len(table), dtype=np.bool_)


def test_factors_are_as_good_as_those_of_the_plain_algorithm(
    table: RatingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factors, "N_FACTORS", 6)
    watched = lists_of(table)
    found = item_factors(table, everything(table)).values.astype(float)
    titles = np.random.default_rng(0).normal(size=found.shape)
    for _ in range(20):
        people = best_for(watched, titles)
        titles = best_for(watched.T, people)
    least = loss(watched, people, titles)
    assert loss(watched, best_for(watched, found), found) == pytest.approx(least, rel=0.02)
    assert least < 0.8 * loss(watched, 0 * people, 0 * titles)


def test_titles_that_the_same_people_watch_have_similar_factors(table: RatingTable) -> None:
    found = item_factors(table, everything(table)).values.astype(float)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    alike = found @ found.T
    same = np.arange(N_TITLES)[:, np.newaxis] % N_KINDS == np.arange(N_TITLES) % N_KINDS
    assert alike[same].min() > alike[~same].max()


def test_neither_the_order_of_people_nor_what_they_did_not_watch_says_anything(table: RatingTable) -> None:
    place = np.random.default_rng(1).permutation(N_USERS)  # of each person in another table of the same lists
    users = place[table.users]
    order = np.lexsort((table.items, users))
    moved = dataclasses.replace(
        table,
        users=users[order].astype(np.int32),
        items=table.items[order],
        user_ids=[table.user_ids[at] for at in np.argsort(place)],
    )
    expected = item_factors(table, everything(table)).values
    assert item_factors(moved, everything(moved)).values.tobytes() == expected.tobytes()
    some = table.items != 3
    without = item_factors(table, some).values
    assert not without[3].any()
    assert without.tobytes() != expected.tobytes()


def test_packed_factors_are_found_by_id_and_near_what_was_learnt(table: RatingTable) -> None:
    learnt = item_factors(table, everything(table))
    packed = learnt.packed(np.array([9, 12, 10, 99], dtype=np.int32))
    scale, found = packed["factor_scale"], packed["factors"]
    assert np.abs(found).max(axis=1).tolist() == [0, 127, 127, 0]
    assert (scale > 0).tolist() == [False, True, True, False]
    assert np.abs(scale[1:3, np.newaxis] * found[1:3] - learnt.values[[2, 0]]).max() <= 0.501 * scale.max()
    assert factors.no_factors().packed(table.anime_ids)["factors"].shape == (N_TITLES, 0)
