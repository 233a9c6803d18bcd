"""Run one method on one split, and measure its answers."""

import time
from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hakken.evaluation import metrics
from hakken.evaluation.methods import Answer, Method
from hakken.evaluation.metrics import RECALLED, TOP, SeriesKeys, Sums
from hakken.evaluation.protocol import Split
from hakken.model.arrays import Int64s
from hakken.ratings import FEWEST_RATERS
from hakken.training.progress import SILENT, Progress


class Outcome(NamedTuple):
    """Result of a method on a split.

    Attributes:
        people: `(n_users,)` names of the test users.
        sums: name of a metric → its sums by user.
        items: number of different titles in all top tens, of what is shown by default or, if there is no such list, of
            the ranking.
        lengths: `(n_users,)` entries in each user's given list.
        held_out: `(n_users,)` titles that were held out from each user.
        popularity: `(n_held_out,)` entries of each held-out title in the training table; user after user.
        found: `(n_held_out,)` bool, whether it is among the user's first 20.
        fit_seconds: time to fit.
        answer_seconds: mean time per user.
    """

    people: tuple[str, ...]
    sums: dict[str, Sums]
    items: int
    lengths: Int64s
    held_out: Int64s
    popularity: Int64s
    found: npt.NDArray[np.bool_]
    fit_seconds: float
    answer_seconds: float


def evaluate_method(
    method: Method, split: Split, keys: SeriesKeys | None = None, progress: Progress = SILENT
) -> Outcome:
    """Fit a method, get its answer for every test user, and measure the answers.

    The fitted method, which may be large, is freed. Without keys discovery and series are not measured.

    Raises:
        HakkenError: the method can't be fitted to this table.
    """
    begin = time.perf_counter()
    ask = method.fit(split, progress)
    fitted = time.perf_counter()
    answers, discovered = [], []
    with progress.stage(f"asking {method.title}", len(split.users), "people") as advance:
        for user in split.users:
            answer = ask(user)
            discovered.append(metrics.discoveries(answer, user, keys) if keys else [])
            answers.append(answer._replace(ranking=answer.ranking[:RECALLED]))
            advance(1)
    asked = time.perf_counter()
    entries = Counter(split.training.anime_ids[split.training.items].tolist())
    held_out = [
        (entries[anime_id], anime_id in answer.ranking)
        for answer, user in zip(answers, split.users, strict=True)
        for anime_id in user.held_out
    ]
    return Outcome(
        people=tuple(user.name for user in split.users),
        sums=_sums(answers, discovered, split, keys),
        items=len({anime_id for answer in answers for anime_id in answer.shown[:TOP]}),
        lengths=np.array([len(user.given) for user in split.users]),
        held_out=np.array([len(user.held_out) for user in split.users]),
        popularity=np.array([n for n, _ in held_out], dtype=np.int64),
        found=np.array([one for _, one in held_out], dtype=np.bool_),
        fit_seconds=fitted - begin,
        answer_seconds=(asked - fitted) / len(split.users),
    )


def _sums(answers: list[Answer], discovered: list[list[str]], split: Split, keys: SeriesKeys | None) -> dict[str, Sums]:
    users, table = split.users, split.training
    shown, held_out = [answer.ranking for answer in answers], [user.held_out for user in users]
    liked = [user.liked for user in users]
    sums = {
        "ndcg": metrics.ndcg(shown, held_out),
        "ndcg_liked": metrics.ndcg(shown, liked),
        "recall": metrics.recall(shown, held_out),
        "lift": Sums.of(map(metrics.lift, shown, users)),
    }
    items = {anime_id: item for item, anime_id in enumerate(table.anime_ids.tolist())}
    by_item = split.lists().T.tocsr()
    sums["alike"] = Sums.of(metrics.alike(answer.shown, by_item, items) for answer in answers)
    if predicted := [answer.r_hat for answer in answers if answer.r_hat is not None]:
        raters = np.bincount(table.items[table.scores > 0], minlength=split.n_items)
        rated, enough = ({one: i for one, i in items.items() if raters[i] >= least} for least in (1, FEWEST_RATERS))
        errors = [metrics.rating_errors(r_hat, user, rated) for r_hat, user in zip(predicted, users, strict=True)]
        sums["disliked"] = Sums.of(
            metrics.disliked(answer.shown, r_hat, user, enough)
            for answer, r_hat, user in zip(answers, predicted, users, strict=True)
        )
        sums["rmse"] = Sums.of((squared, n) for squared, _, n in errors)
        sums["mae"] = Sums.of((absolute, n) for _, absolute, n in errors)
    if keys is None:
        return sums
    for name, relevant in (("discovery", held_out), ("discovery_liked", liked)):
        new = [metrics.new_series(one, user, keys) for one, user in zip(relevant, users, strict=True)]
        sums[name] = metrics.ndcg(discovered, new)
    if listed := [answer.default_list for answer in answers if answer.default_list is not None]:
        sums["continues"] = Sums.of(map(partial(metrics.continued, keys=keys), listed, users))
    if continuing := [answer.continues for answer in answers if answer.continues is not None]:
        sums["next_found"] = Sums.of(map(partial(metrics.next_found, keys=keys), continuing, users))
    return sums
