"""How long a visitor waits for the arithmetic, on the embedded model.

python -m benchmarks.serving
"""

import gc
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import machine
from hakken.knowledge import Knowledge
from hakken.model import store
from hakken.ratings import Preferences, Rating, UserList
from hakken.recommend import recommend

LIST_LENGTHS = (20, 300, 2000)
RUNS = 200


def main() -> None:
    """Measure opening the model, recommending, and memory, in this one process."""
    before = machine.memory_mb("Private_Dirty")
    print(machine.describe("numpy"))
    report("open the model", times(lambda: Knowledge.read(store.open_artefact(store.EMBEDDED)), 20))
    knowledge = Knowledge.read(store.open_artefact(store.EMBEDDED))
    for length in LIST_LENGTHS:
        user_list = popular_list(knowledge, length)
        report(
            f"recommend(), {length} ratings, 20 titles",
            times(partial(recommend, user_list, knowledge, Preferences(n=20)), RUNS),
        )
    gc.collect()
    print(f"memory of this process: {machine.memory_mb('Pss'):.0f} MB in all, shared pages by their share;")
    print(
        f"private to it: {before:.0f} MB before the model was opened, {machine.memory_mb('Private_Dirty'):.0f} MB now"
    )


def popular_list(knowledge: Knowledge, length: int, seed: int = 0) -> UserList:
    """A made-up list with the popularity and the scores of real ones; the same seed gives the same list."""
    rng = np.random.default_rng(seed)
    raters = knowledge.model.arrays.raters.astype(np.float64)
    rows = rng.choice(knowledge.model.n_items, size=length, replace=False, p=raters / raters.sum())
    scores = rng.normal(7.6, 1.4, size=length).round().clip(1, 10).astype(int)
    anime_ids = knowledge.model.arrays.anime_ids[rows]
    return UserList.of(Rating(int(a), int(s)) for a, s in zip(anime_ids, scores, strict=True))


def times(action: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each of some runs."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return times


def report(what: str, seconds: list[float]) -> None:
    """Print the median and the 99th percentile of some runs."""
    median, late = np.percentile(seconds, [50, 99])
    print(f"{what:<50} median {median * 1e3:6.2f} ms, 99th percentile {late * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
