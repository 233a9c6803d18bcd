"""The protocol: training users, test users and held-out entries. Test users are new to the model, as visitors are.

For a salt, `bucket(x) = crc32(f"{salt}:{x}") % 5`.

- Test users are those with at least 20 scores and `bucket(f"{user_id}") == 0`. All rows of all other users are the
  training table, and nothing else is.
- Of a test user's rows, those with `bucket(f"{user_id}:{anime_id}") == 0` are held out; the rest is the given list. An
  entry of unknown status, watched or planned, is not held out, and given as planned. Users with fewer than 5 given
  scores, or with nothing held out, are left out.

Nothing is drawn at random, so every program that follows the protocol has the same split.

A model that is published is judged by another split, which never changes: a tenth of all people, by a hash of their
names, is left out of the training of every published model. Else a model would be judged by people whom the one before
it was trained on.
"""

import dataclasses
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse

from hakken.errors import TableError
from hakken.model.arrays import Bools, Int64s
from hakken.ratings import STATUS_OF_CODE, Rating, Status, UserList
from hakken.training.factors import list_matrix
from hakken.training.tables import UNKNOWN_STATUS, RatingTable

BUCKETS = 5
MIN_SCORED, MIN_GIVEN = 20, 5
HELD_OUT_KEY, HELD_OUT_OF = b"held out", 10
"""They choose the people who judge models, and must never change: published models were trained without them."""
HELD_OUT = "of the tenth that models are judged by"
MAX_JUDGES = 2000
"""Enough for an interval of ±0.005; more would take minutes."""
LIKED = 8
"""A held-out title was liked when it has this score or more."""


class TestUser(NamedTuple):
    """A user who was not in training.

    Attributes:
        name: id or name in the table.
        given: the list that a method gets.
        held_out: entries that it does not get: anime id → score, 0 for an entry without one.
    """

    name: str
    given: UserList
    held_out: dict[int, int]

    @property
    def liked(self) -> list[int]:
        """Held-out anime with a score of `LIKED` or more."""
        return [anime_id for anime_id, score in self.held_out.items() if score >= LIKED]


class Split(NamedTuple):
    """A table, split by one salt.

    Attributes:
        salt: the salt.
        training: all rows of the other users; users and anime are renumbered from 0.
        users: the test users.
    """

    salt: str
    training: RatingTable
    users: tuple[TestUser, ...]

    @property
    def n_items(self) -> int:
        """Number of anime in the training table, which are ranked."""
        return len(self.training.anime_ids)

    def items_of(self, ratings: Iterable[Rating]) -> Int64s:
        """Training items of some entries, without those that have none, in the order given; int64."""
        known = self.training.anime_ids
        wanted = np.array([rating.anime_id for rating in ratings], dtype=np.int64)
        items: Int64s = np.searchsorted(known, wanted).clip(max=len(known) - 1)
        return np.asarray(items[known[items] == wanted])

    def lists(self) -> scipy.sparse.csr_matrix:
        """The lists of the training users: `(n_users, n_items)` float32 CSR, 1 where a user has an item."""
        table = self.training
        return list_matrix(table.users, table.items, (table.n_users, self.n_items))


def bucket(salt: str, what: str) -> int:
    """Bucket of a text, 0-4."""
    return zlib.crc32(f"{salt}:{what}".encode()) % BUCKETS


def split(table: RatingTable, salt: str) -> Split:
    """Split a table.

    Raises:
        TableError: there is no test user, or nobody else to train on.
    """
    names = table.user_names
    scored = np.bincount(table.users[table.scores > 0], minlength=table.n_users)
    is_test = np.array([n >= MIN_SCORED and bucket(salt, name) == 0 for n, name in zip(scored, names, strict=True)])
    users = tuple(_test_users(table.of_users(is_test), salt))
    if not users:
        raise TableError(
            f'The salt "{salt}" makes no test user of this table: that takes {MIN_SCORED} scores, {MIN_GIVEN} of them '
            "in the given list, a held-out entry, and a bucket that one user of five has."
        )
    if is_test.all():
        raise TableError(f'The salt "{salt}" makes everyone a test user: nobody is left to train on.')
    return Split(salt, table.of_users(~is_test), users)


def _test_users(table: RatingTable, salt: str) -> Iterator[TestUser]:
    ends = np.cumsum(np.bincount(table.users, minlength=table.n_users))
    columns = (np.split(one, ends) for one in (table.anime_ids[table.items], table.scores, table.statuses))
    for name, *theirs in zip(table.user_names, *columns, strict=False):  # the last part is empty
        given, held_out = [], {}
        for anime_id, score, code in zip(*(one.tolist() for one in theirs), strict=True):
            if code != UNKNOWN_STATUS and bucket(salt, f"{name}:{anime_id}") == 0:
                held_out[anime_id] = score
            else:
                given.append(Rating(anime_id, score, STATUS_OF_CODE.get(code, Status.PLAN_TO_WATCH)))
        user_list = UserList.of(given)
        if held_out and sum(1 for _ in user_list.scored) >= MIN_GIVEN:
            yield TestUser(name, user_list, held_out)


def held_out_people(table: RatingTable) -> Bools:
    """Which users of a table, `(n_users,)` bool, no published model is trained on."""
    return np.array([_held_out_hash(name) % HELD_OUT_OF == 0 for name in table.user_names], dtype=np.bool_)


def without_held_out(table: RatingTable) -> RatingTable:
    """A table without the people whom no published model is trained on; they are counted among what was left out."""
    left = table.of_users(~held_out_people(table))
    return dataclasses.replace(left, dropped=table.dropped + Counter({HELD_OUT: len(table) - len(left)}))


def judges(table: RatingTable) -> tuple[TestUser, ...]:
    """Test users among the people whom no published model is trained on, at most `MAX_JUDGES`, in a fixed order."""
    possible = np.flatnonzero(held_out_people(table) & (table.scored >= MIN_SCORED))
    names = table.user_names
    chosen = sorted(possible.tolist(), key=lambda user: _held_out_hash(names[user]))[:MAX_JUDGES]
    return tuple(_test_users(table.of_users(np.isin(np.arange(table.n_users), chosen)), HELD_OUT_KEY.decode()))


def _held_out_hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), key=HELD_OUT_KEY, digest_size=8).digest())
