"""What recommendations are made from: a model and the catalogue that goes with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hakken.catalogue import FILE_NAME, Catalogue
from hakken.model import Model
from hakken.model.arrays import Int64s
from hakken.model.store import Artefact

Mask = npt.NDArray[np.bool_]
NO_PART = np.iinfo(np.int64).max


class Facts:
    """What the catalogue knows of the model's rows, as arrays; each is made when it is first asked for."""

    def __init__(self, model: Model, catalogue: Catalogue) -> None:
        self._ids: list[int] = model.arrays.anime_ids.tolist()
        self._watchers = model.arrays.watchers
        self._catalogue = catalogue

    @cached_property
    def adult(self) -> Mask:
        """`(n_items,)` bool: for adults only."""
        return np.array([one is not None and one.adult for one in self._anime()], dtype=np.bool_)

    @cached_property
    def year(self) -> Int64s:
        """`(n_items,)` int64, 0 where it is unknown."""
        return np.array([(one.year or 0) if one else 0 for one in self._anime()], dtype=np.int64)

    @cached_property
    def members(self) -> Int64s:
        """`(n_items,)` int64, 0 where they are unknown."""
        return np.array([(one.members or 0) if one else 0 for one in self._anime()], dtype=np.int64)

    @cached_property
    def types(self) -> Mapping[str, Mask]:
        """Each type, in lower case → `(n_items,)` bool."""
        return self._masks(lambda one: (one.type,) if one.type else ())

    @cached_property
    def genres(self) -> Mapping[str, Mask]:
        """Each genre, in lower case → `(n_items,)` bool."""
        return self._masks(lambda one: one.genres)

    @cached_property
    def franchise(self) -> Int64s:
        """`(n_items,)` int64: id of the anime with which each row's franchise begins."""
        return np.array([self._catalogue.franchise_of(anime_id) for anime_id in self._ids], dtype=np.int64)

    @cached_property
    def part(self) -> Int64s:
        """`(n_items,)` int64: each row's place in its franchise's watching order; specials and the like come last."""
        parts = [(1 if one.franchise is None else one.part or NO_PART) if one else 1 for one in self._anime()]
        return np.array(parts, dtype=np.int64)

    @cached_property
    def watching_order(self) -> Int64s:
        """`(n_items,)` int64: inner indices by franchise and, within one, in watching order; then by watchers."""
        return np.lexsort((-self._watchers, self.part, self.franchise))

    def _anime(self) -> Iterator[Any]:
        return (self._catalogue.get(anime_id) for anime_id in self._ids)

    def _masks(self, values: Any) -> dict[str, Mask]:  # noqa: ANN401  # a function of an anime
        masks: dict[str, Mask] = {}
        for row, one in enumerate(self._anime()):
            for value in values(one) if one else ():
                masks.setdefault(value.lower(), np.zeros(len(self._ids), dtype=np.bool_))[row] = True
        return masks


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Model and catalogue of one artefact; they are opened, and one day replaced, together."""

    model: Model
    catalogue: Catalogue

    @cached_property
    def facts(self) -> Facts:
        """The catalogue's facts by the model's rows."""
        return Facts(self.model, self.catalogue)

    @classmethod
    def read(cls, artefact: Artefact) -> Self:
        """Open what a verified artefact holds.

        Raises:
            ArtefactCorrupt: its files are whole, yet can't be used.
        """
        return cls(Model.open(artefact), Catalogue.read(artefact.path(FILE_NAME)))
