"""How long finding the series of the embedded catalogue takes, with its relations and without, and of equal names.

Run it with `python -m benchmarks.series`.
"""

import time
from collections.abc import Iterable

from benchmarks import machine
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.model import store
from hakken.series import Relation, relations_of, with_series

EQUAL = (2_000, 4_000)


def main() -> None:
    """Measure it."""
    print(machine.describe("msgspec"))
    known = ModelBundle.read(store.open_artefact(store.EMBEDDED)).catalogue
    relations = list(relations_of(known))
    _report(f"{len(relations):,} relations", known, relations)
    _report("no relations", known)
    for n in EQUAL:
        _report("all called the same", Catalogue(Anime(anime_id=one, title="Untitled") for one in range(1, n + 1)))


def _report(what: str, catalogue: Catalogue, relations: Iterable[Relation] = ()) -> None:
    begin = time.perf_counter()
    with_series(catalogue, relations)
    print(f"{len(catalogue):,} titles, {what}: {time.perf_counter() - begin:.2f} s")


if __name__ == "__main__":
    main()
