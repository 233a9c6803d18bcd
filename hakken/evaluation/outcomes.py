"""Run one method on one split, and measure its answers."""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hakken.evaluation import metrics
from hakken.evaluation.method import Answer, Method
from hakken.evaluation.metrics import RECALLED, TOP, Sums
from hakken.evaluation.protocol import Split
from hakken.evaluation.series_keys import SeriesKeys
from hakken.model.arrays import Int64s
from hakken.training.progress import SILENT, Progress


@dataclass(frozen=True, eq=False)
class Outcome:
    """Result of a method on a split.

    Attributes:
        name: name of the method.
        salt: salt of the split.
        people: `(n_users,)` names of the test users.
        sums: name of a metric → its sums by user.
        items: number of different titles in all top tens.
        lengths: `(n_users,)` entries in each user's given list.
        popularity: `(n_held_out,)` entries of each held-out title in the training table; user after user.
        found: `(n_held_out,)` bool, whether it is among the user's first 20.
        fit_seconds: time to fit.
        answer_seconds: mean time per user.
    """

    name: str
    salt: str
    people: tuple[str, ...]
    sums: dict[str, Sums]
    items: int
    lengths: Int64s
    popularity: Int64s
    found: npt.NDArray[np.bool_]
    fit_seconds: float
    answer_seconds: float


def evaluate_method(
    method: Method, split: Split, keys: SeriesKeys | None = None, progress: Progress = SILENT
) -> Outcome:
    """Fit a method, get its answer for every test user, and measure the answers.

    Args:
        method: the method, not yet fitted.
        split: training table and test users.
        keys: series keys; without them discovery and series are not measured.
        progress: receives the stages.

    Raises:
        HakkenError: the method can't be fitted to this table.
    """
    begin = time.perf_counter()
    method.fit(split, progress)
    fitted = time.perf_counter()
    answers, discovered = [], []
    with progress.stage(f"asking {method.title}", len(split.users), "people") as advance:
        for user in split.users:
            answer = method.answer(user)
            discovered.append(metrics.discoveries(answer, user, keys) if keys else [])
            answers.append(answer._replace(ranking=answer.ranking[:RECALLED]))
            advance(1)
    asked = time.perf_counter()
    popularity, found = _held_out(answers, split)
    return Outcome(
        name=method.name,
        salt=split.salt,
        people=tuple(user.name for user in split.users),
        sums=_ranking(answers, split) | _ratings(answers, split) | _discovery(answers, discovered, split, keys),
        items=len({anime_id for answer in answers for anime_id in answer.ranking[:TOP]}),
        lengths=np.array([len(user.given) for user in split.users]),
        popularity=popularity,
        found=found,
        fit_seconds=fitted - begin,
        answer_seconds=(asked - fitted) / len(split.users),
    )


def _ranking(answers: list[Answer], split: Split) -> dict[str, Sums]:
    shown = [list(map(str, answer.ranking)) for answer in answers]
    held_out = [list(map(str, user.held_out)) for user in split.users]
    return {
        "ndcg": metrics.ndcg(shown, held_out),
        "ndcg_liked": metrics.ndcg(shown, [list(map(str, user.liked)) for user in split.users]),
        "recall": metrics.recall(shown, held_out),
        "lift": metrics.lift([answer.ranking for answer in answers], split.users),
    }


def _ratings(answers: list[Answer], split: Split) -> dict[str, Sums]:
    table = split.training
    raters = np.bincount(table.items[table.scores > 0], minlength=split.n_items)
    items = {anime_id: item for item, anime_id in enumerate(table.anime_ids.tolist()) if raters[item]}
    errors = metrics.rating_errors(answers, split.users, items)
    return dict(zip(("rmse", "mae"), errors, strict=True)) if errors else {}


def _discovery(
    answers: list[Answer], discovered: list[list[str]], split: Split, keys: SeriesKeys | None
) -> dict[str, Sums]:
    if keys is None:
        return {}
    held_out = [metrics.new_series(user.held_out, user, keys) for user in split.users]
    liked = [metrics.new_series(user.liked, user, keys) for user in split.users]
    found = {
        "discovery": metrics.ndcg(discovered, held_out),
        "discovery_liked": metrics.ndcg(discovered, liked),
        "continues": metrics.continued(answers, split.users, keys),
        "next_found": metrics.next_found(answers, split.users, keys),
    }
    return {name: sums for name, sums in found.items() if sums}


def _held_out(answers: list[Answer], split: Split) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    entries = np.bincount(split.training.items, minlength=split.n_items).tolist()
    of_anime = dict(zip(split.training.anime_ids.tolist(), entries, strict=True))
    rows = [
        (of_anime.get(anime_id, 0), anime_id in shown)
        for shown, user in zip((set(answer.ranking) for answer in answers), split.users, strict=True)
        for anime_id in user.held_out
    ]
    popularity, found = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return popularity, found.astype(np.bool_)
