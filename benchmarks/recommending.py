"""How long `recommend()` takes with a large model.

    python -m benchmarks.recommending

The model is synthetic: 14,000 anime of 200 stored similarities and 200 preference weights each, how often each anime is
named by others being that of the embedded, trained model, stretched, and 500 attributes; titles, genres and series
are the embedded catalogue's.
"""

from collections.abc import Iterator
from functools import partial
from itertools import cycle

import click
import msgspec
import numpy as np

from benchmarks import machine
from benchmarks.serving import popular_list, report, times
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.model import Manifest, Model, Parameters, store
from hakken.model.arrays import FEW_WATCHERS, QUANTA, Array, Arrays, Float64s, Int64s, index_type, unpack
from hakken.model.manifest import Sizes
from hakken.model.trees import FEATURES, N_LISTS, N_SPLITS
from hakken.ratings import Order, Preferences, UserList
from hakken.recommend import recommend
from hakken.training.attributes import LEAST_SHARE
from hakken.training.factors import N_FACTORS

N_ITEMS, K_STORED, N_USERS, MU = 14_000, 200, 100_000, 7.6
COPY = 1_000_000
"""Added to the ids of titles that are in the catalogue a second time, to fill it up."""
CASES = (("match", Order.MATCH), ("predicted rating", Order.PREDICTED_RATING))
LENGTHS = (300, 5000)
N_VISITORS = 20
PREF_QUANTA = 2**15 - 1
N_ATTRIBUTES, ATTRIBUTES_OF_ONE, ATTRIBUTE_SUPPORT = 500, 12, 5.0


def synthetic_bundle(seed: int = 0) -> ModelBundle:
    """A model of `N_ITEMS` anime; the same seed gives the same model."""
    rng = np.random.default_rng(seed)
    trained = ModelBundle.read(store.open_artefact(store.EMBEDDED))
    catalogue = _filled(trained.catalogue)
    arrays = trained.model.arrays
    rank = np.argsort(np.argsort([-(one.members or 0) for one in catalogue.values()], kind="stable"))
    watchers = _stretched(arrays.watchers, arrays.watchers)[rank]
    spoken_of = np.bincount(arrays.sim_indices, minlength=len(arrays.anime_ids))
    neighbours = _draw(rng, _stretched(spoken_of, arrays.watchers)[rank])
    watched = _draw(rng, _stretched(np.diff(arrays.pref_indptr), arrays.watchers)[rank])
    title = np.repeat(np.arange(N_ITEMS), K_STORED)
    order = np.lexsort((title, watched.ravel()))
    weights = rng.standard_exponential(N_ITEMS * K_STORED) * rng.choice([1, 1, 1, -0.3], N_ITEMS * K_STORED)
    falling = -np.sort(-rng.beta(1, 4, (N_ITEMS, K_STORED)), axis=1)
    popularity = (watchers + FEW_WATCHERS) / N_USERS
    made = Arrays(
        anime_ids=np.array(list(catalogue), dtype=np.int32),
        b_i=rng.normal(scale=0.5, size=N_ITEMS),
        raters=(0.8 * watchers).astype(np.int32),
        sim_indptr=np.arange(N_ITEMS + 1) * K_STORED,
        sim_indices=neighbours.ravel().astype(index_type(N_ITEMS)),
        sim_values=(QUANTA * falling.ravel()).clip(1).astype(np.uint16),
        sim_scale=np.full(N_ITEMS, 0.4 / unpack(np.array([QUANTA], dtype=np.uint16))[0], dtype=np.float32),
        sim_support=np.full(N_ITEMS * K_STORED, 50, dtype=np.uint16),
        watchers=watchers.astype(np.int32),
        popularity=popularity.astype(np.float32),
        pref_indptr=np.concatenate(([0], np.cumsum(np.bincount(watched.ravel(), minlength=N_ITEMS)))),
        pref_indices=title[order].astype(index_type(N_ITEMS)),
        pref_values=(weights[order] * PREF_QUANTA / 12).clip(-PREF_QUANTA, PREF_QUANTA).astype(np.int16),
        pref_scale=np.full(N_ITEMS, 0.2 / PREF_QUANTA, dtype=np.float32),
        **_attributes(rng, watchers, popularity),
        factors=rng.integers(-127, 128, (N_ITEMS, N_FACTORS), dtype=np.int8),
        factor_scale=np.full(N_ITEMS, 1e-3, dtype=np.float32),
        **_trees(rng),
    )
    n = N_ITEMS * K_STORED
    sizes = Sizes(users=N_USERS, items=N_ITEMS, entries=n, scored=n, neighbours=n, preferences=n)
    created = "2026-01-01T00:00:00Z"
    manifest = Manifest(
        created=created,
        hakken_version="0",
        mu=MU,
        sizes=sizes,
        people=trained.model.manifest.people,
        parameters=Parameters(),
        features=tuple(FEATURES),
        files={},
    )
    return ModelBundle(Model(made, manifest, "synthetic"), catalogue)


def _attributes(rng: np.random.Generator, watchers: Float64s, popularity: Float64s) -> dict[str, Array]:
    """What attributes say of titles that few people watched: the arrays `attr_…`."""
    share = ATTRIBUTE_SUPPORT / (watchers + ATTRIBUTE_SUPPORT)
    share[share < LEAST_SHARE] = 0.0
    lengths = np.where(share > 0, ATTRIBUTES_OF_ONE, 0)
    each = np.tile(np.arange(N_ATTRIBUTES, dtype=np.uint16), (int(np.count_nonzero(lengths)), 1))
    return {
        "attr_share": (share * np.sqrt(popularity)).astype(np.float32),
        "attr_indptr": np.concatenate(([0], np.cumsum(lengths))),
        "attr_indices": np.sort(rng.permuted(each, axis=1)[:, :ATTRIBUTES_OF_ONE], axis=1).ravel(),
        "attr_rows": np.arange(N_ITEMS, dtype=np.int32),
        "attr_values": rng.normal(scale=30, size=(N_ITEMS, N_ATTRIBUTES)).clip(-127, 127).astype(np.int8),
        "attr_scale": np.full(N_ATTRIBUTES, 1e-4, dtype=np.float32),
    }


def _trees(rng: np.random.Generator) -> dict[str, Array]:
    """Trees of random splits: their time does not depend on what they say."""
    shape = (N_LISTS, Parameters().trees, N_SPLITS)
    return {
        "tree_features": rng.integers(0, len(FEATURES), shape, dtype=np.uint8),
        "tree_borders": rng.normal(size=shape),
        "tree_parts": rng.normal(scale=0.01, size=(*shape[:2], 2**N_SPLITS, N_SPLITS)),
    }


def _filled(catalogue: Catalogue) -> Catalogue:
    """The catalogue, and as many of its anime a second time as are missing from `N_ITEMS`."""

    def again(anime: Anime) -> Anime:
        moved = {name: getattr(anime, name) for name in ("anime_id", "series", "story", "universe")}
        return msgspec.structs.replace(anime, **{name: place + COPY for name, place in moved.items() if place})

    known = list(catalogue.values())
    return Catalogue([*known, *map(again, known[: max(0, N_ITEMS - len(known))])][:N_ITEMS])


def _stretched(values: Array, watchers: Array) -> Float64s:
    """Values of a smaller model, by falling popularity, stretched over `N_ITEMS` ranks."""
    ordered = values[np.argsort(-watchers, kind="stable")]
    return np.interp(np.linspace(0, 1, N_ITEMS), np.linspace(0, 1, len(ordered)), ordered)


def _draw(rng: np.random.Generator, weight: Float64s) -> Int64s:
    """For each anime `K_STORED` different ones, an anime being drawn as often as its weight says; `(n, k)` int64."""
    edges = np.cumsum(weight + 1e-3)
    rows = np.empty((N_ITEMS, K_STORED), dtype=np.int64)
    for i in range(N_ITEMS):
        found: dict[int, None] = {}
        while len(found) < K_STORED:
            drawn = np.searchsorted(edges, rng.random(2 * K_STORED) * edges[-1])
            found |= dict.fromkeys(drawn.tolist())
        rows[i] = list(found)[:K_STORED]
    return rows


@click.command()
@click.option("--runs", type=click.IntRange(min=1), default=200, show_default=True, help="Of each case.")
def main(runs: int) -> None:
    """Measure on a synthetic model, in this one process."""
    print(machine.describe("numpy"))
    bundle = synthetic_bundle()
    for length in LENGTHS:
        lists = [popular_list(bundle, length, seed) for seed in range(N_VISITORS)]
        for name, order in CASES:
            case = cycle(lists)
            preferences = Preferences(n=20, order=order)
            action = partial(_next, case, bundle, preferences)
            action()
            report(f"recommend(), {length} ratings, by {name}", times(action, runs))


def _next(lists: Iterator[UserList], bundle: ModelBundle, preferences: Preferences) -> None:
    recommend(next(lists), bundle, preferences)


if __name__ == "__main__":
    main()
