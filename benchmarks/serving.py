"""How long a visitor waits for the arithmetic, on the embedded model.

python -m benchmarks.serving
"""

import gc
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import machine
from hakken.bundle import ModelBundle
from hakken.model import store
from hakken.ratings import Preferences, Rating, UserList
from hakken.recommend import recommend
from hakken.search import Titles

LIST_LENGTHS = (20, 300, 2000)
RUNS = 200
QUERIES = (
    "k",
    "no",
    "jjk",
    "attack on titan",
    "進撃の巨人",
    "cowbyo bebop",
    "nueon genesis evangelion",
    "nothing of the kind",
    "x" * 64,
    "no no ka no wa to ni na de wo ga o a i u e the of and in to",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6",
    "that time i got reincarnated as a slime season 2 part 2 the movi",
    "reincarnatedd shieldd adventurerr princesss magicall academyy xx",
)
"""What is typed: short, of many names, known, mistyped, unknown, and as long as the pages allow."""


def main() -> None:
    """Measure opening the model, recommending, and memory, in this one process."""
    before = machine.memory_mb("Private_Dirty")
    print(machine.describe("numpy"))
    report("open the model", times(lambda: ModelBundle.read(store.open_artefact(store.EMBEDDED)), 20))
    bundle = ModelBundle.read(store.open_artefact(store.EMBEDDED))
    for length in LIST_LENGTHS:
        user_list = popular_list(bundle, length)
        report(
            f"recommend(), {length} ratings, 20 titles",
            times(partial(recommend, user_list, bundle, Preferences(n=20)), RUNS),
        )
    search(bundle)
    gc.collect()
    print(f"memory of this process: {machine.memory_mb('Pss'):.0f} MB in all, shared pages by their share;")
    print(
        f"private to it: {before:.0f} MB before the model was opened, {machine.memory_mb('Private_Dirty'):.0f} MB now"
    )


def search(bundle: ModelBundle) -> None:
    """Measure making the titles ready for searches, what that holds in memory, and each of the searches."""
    before = machine.memory_mb("Private_Dirty")
    titles = Titles(bundle.catalogue)
    gc.collect()
    held = machine.memory_mb("Private_Dirty") - before
    report(
        f"make {len(bundle.catalogue)} titles searchable ({held:.0f} MB)",
        times(partial(Titles, bundle.catalogue), 5),
    )
    for query in QUERIES:
        report(f"search for {query:.30}", times(partial(titles.search, query, 12), RUNS))


def popular_list(bundle: ModelBundle, length: int, seed: int = 0) -> UserList:
    """A made-up list with the popularity and the scores of real ones; the same seed gives the same list."""
    rng = np.random.default_rng(seed)
    raters = bundle.model.arrays.raters.astype(np.float64)
    rows = rng.choice(bundle.model.n_items, size=length, replace=False, p=raters / raters.sum())
    scores = rng.normal(7.6, 1.4, size=length).round().clip(1, 10).astype(int)
    anime_ids = bundle.model.arrays.anime_ids[rows]
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
