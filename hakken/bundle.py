"""The model bundle: a model and its catalogue, and the catalogue's facts as arrays by the model's rows."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from hakken.catalogue import FILE_NAME, Anime, Catalogue, CatalogueColumns
from hakken.errors import StorageError
from hakken.model import Model
from hakken.model.arrays import MIN_TITLES, Arrays, Bools, Float32s, Int32s, Int64s, look_up
from hakken.model.manifest import Manifest
from hakken.model.store import Artefact, open_artefact, replacing, write_manifest
from hakken.ratings import TitleNames

NO_PART = np.iinfo(np.int32).max

Kind = TypeVar("Kind", np.bool_, np.int64)


class AnimeIndex:
    """All anime in the catalogue or the model, by ascending id; a *position* is an index into this order.

    Attributes:
        ids: `(n_anime,)` int64, MyAnimeList ids, ascending.
        of_row: `(n_items,)` int64, position of each of the model's rows.
        row: `(n_anime,)` int64, the model's row of each anime, -1 where it has none.
        part: `(n_anime,)` int32, position in its series' viewing order; `NO_PART` for specials and the like.
        described: `(len(catalogue),)` int64, positions of the catalogue's anime.
    """

    def __init__(self, model: Model, columns: CatalogueColumns) -> None:
        known = model.arrays.anime_ids
        self.ids: Int64s = np.union1d(known, columns.ids).astype(np.int64)
        self.of_row: Int64s = np.searchsorted(self.ids, known)
        self.row: Int64s = np.full(len(self.ids), -1)
        self.row[self.of_row] = np.arange(len(known))
        self.described: Int64s = np.searchsorted(self.ids, columns.ids)
        self.part: Int32s = np.ones(len(self.ids), dtype=np.int32)
        self.part[self.described] = np.where(columns.alone, 1, np.where(columns.part > 0, columns.part, NO_PART))

    def of(self, anime_ids: Int64s) -> Int64s:
        """Positions of some anime, in the order given; unknown ids are left out."""
        positions, known = look_up(self.ids, anime_ids)
        return positions[known]


class SeriesIndex:
    """Series, stories or universes as arrays: which anime belong together, and in which order to watch them.

    Args:
        model: the model.
        index: all anime.
        of_described: `(len(catalogue),)` int64, the group of each of the catalogue's anime, an id; what the catalogue
            lacks is its own group.

    Attributes:
        of_row: `(n_items,)` int64, the group of each of the model's rows, numbered from 0.
        part_of_row: `(n_items,)` int32, `AnimeIndex.part` of each row: above 1 for all but the first of a series.
    """

    def __init__(self, model: Model, index: AnimeIndex, of_described: Int64s) -> None:
        self._index = index
        group = index.ids.copy()
        group[index.described] = of_described
        names, self._group = np.unique(group, return_inverse=True)
        self._size = len(names)
        self.of_row: Int64s = self._group[index.of_row]
        self.part_of_row: Int32s = index.part[index.of_row]
        # Rows by group, within one in watching order, then by watchers.
        self._order: Int64s = np.lexsort((-model.arrays.watchers, self.part_of_row, self.of_row))
        self._group_in_order: Int64s = self.of_row[self._order]
        main = np.flatnonzero(index.part < NO_PART)
        self._main: Int64s = main[np.lexsort((index.part[main], self._group[main]))]
        self._group_of_main: Int64s = self._group[self._main]

    def __len__(self) -> int:
        return self._size

    def any_of(self, positions: Int64s) -> Bools:
        """The groups of the anime at some positions, `(n_groups,)` bool."""
        touched = np.zeros(len(self), dtype=np.bool_)
        touched[self._group[positions]] = True
        return touched

    def first_rows(self, candidates: Bools, groups: Bools) -> Int64s:
        """Inner indices of the first candidate, `(n_items,)`, of each of some groups, `(n_groups,)`."""
        left = np.flatnonzero(candidates[self._order] & groups[self._group_in_order])
        return self._order[left[firsts(self._group_in_order[left])]]

    def last_part(self, positions: Int64s) -> Int32s:
        """The latest part among some positions, by group, `(n_groups,)` int32; 0 where there is none."""
        main = positions[self._index.part[positions] < NO_PART]
        last = np.zeros(len(self), dtype=np.int32)
        np.maximum.at(last, self._group[main], self._index.part[main])
        return last

    def next_rows(self, seen: Int64s, groups: Bools) -> Int64s:
        """Inner indices of the next main entry of some groups that is not at a seen position.

        An entry without a row is not skipped: its group then has no next entry.
        """
        unseen = np.ones(len(self._group), dtype=np.bool_)
        unseen[seen] = False
        main = self._main[groups[self._group_of_main]]  # of a few groups
        left = main[unseen[main]]
        rows = self._index.row[left[firsts(self._group[left])]]
        return rows[rows >= 0]


def firsts(groups: Int64s) -> Bools:
    """Which entries, `(n,)` bool, are the first of their group, where each group's entries are contiguous."""
    first = np.ones(len(groups), dtype=np.bool_)
    first[1:] = groups[1:] != groups[:-1]
    return first


class Facts:
    """The catalogue's facts by the model's rows.

    Of `adult`, `year`, `season`, `members` and `beside` see `CatalogueColumns`.

    Attributes:
        types: each type, in lower case → `(n_items,)` bool.
        genres: each genre, in lower case → `(n_items,)` bool.
        genre_names: each genre, in lower case → as the catalogue spells it.
        studios: each studio, in lower case → inner indices: there are too many of them for masks.
        lone_films: `(n_items,)` bool, films that are their whole series.
        anime_index: all anime, with or without a row.
        series: what one would call one show.
        stories: series and retellings of the same.
        universes: what is related in any way.
    """

    def __init__(self, model: Model, catalogue: Catalogue) -> None:
        self._model, self._catalogue = model, catalogue
        columns = catalogue.columns
        self._described = look_up(columns.ids, model.arrays.anime_ids.astype(np.int64))
        self.adult, self.beside = self._of_rows(columns.adult), self._of_rows(columns.beside)
        self.year, self.members = self._of_rows(columns.year), self._of_rows(columns.members)
        self.season = self._of_rows(columns.season)
        self.types, self.genres = self._masks(columns.types), self._masks(columns.genres)
        self.genre_names = {name.lower(): name for name in columns.genres if name.lower() in self.genres}
        self.studios = self._rows_of(columns.studios)
        self.lone_films = self._of_rows(columns.alone) & self.types.get("movie", np.False_)
        self.anime_index = AnimeIndex(model, columns)
        self.series = SeriesIndex(model, self.anime_index, columns.series)
        self.stories = SeriesIndex(model, self.anime_index, columns.story)
        self.universes = SeriesIndex(model, self.anime_index, columns.universe)

    @cached_property
    def attributes(self) -> frozenset[tuple[str, str]]:
        """The attributes by which hardly watched titles are judged, beside type, years and series; see `attributes_of`.

        They are those that enough titles with learnt weights have: of studios, only the large ones.
        """
        model = self._model
        if not model.mostly_by_attributes.any():
            return frozenset()
        learnt = model.arrays.watchers >= model.manifest.parameters.min_watchers
        anime = map(self._catalogue.anime, model.arrays.anime_ids[learnt].tolist())
        counts = Counter(chain.from_iterable(map(attributes_of, anime)))
        return frozenset(attribute for attribute, count in counts.items() if count >= MIN_TITLES)

    @cached_property
    def genre_vectors(self) -> Float32s:
        """`(n_items, n_genres)` float32: 1/√(number of its genres) where a title has a genre, else 0."""
        has = (
            np.stack(list(self.genres.values()), axis=1, dtype=np.float32)
            if self.genres
            else np.zeros((self._model.n_items, 0), dtype=np.float32)
        )
        return np.asarray(has / np.sqrt(has.sum(axis=1).clip(1))[:, np.newaxis])

    def _of_rows(self, column: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
        """A column by the model's rows; 0 where the catalogue lacks one."""
        positions, known = self._described
        values = np.zeros(len(known), dtype=column.dtype)
        values[known] = column[positions[known]]
        return values

    def _masks(self, named: Mapping[str, Int64s]) -> dict[str, Bools]:
        masks: dict[str, Bools] = {}
        for name, positions in named.items():
            mask = self._of_rows(np.bincount(positions, minlength=len(self._catalogue)) > 0)
            if mask.any():
                masks[name.lower()] = mask | masks.get(name.lower(), False)
        return masks

    def _rows_of(self, named: Mapping[str, Int64s]) -> dict[str, Int64s]:
        positions, known = self._described
        row = np.full(len(self._catalogue), -1)
        row[positions[known]] = np.flatnonzero(known)
        found: dict[str, Int64s] = {}
        for name, its in named.items():
            rows = row[its]
            if (rows >= 0).any():
                found[name.lower()] = np.union1d(rows[rows >= 0], found.get(name.lower(), rows[:0]))
        return found


def attributes_of(anime: Anime) -> set[tuple[str, str]]:
    """The attributes of a title that don't depend on viewers: pairs of the fact's name in `Anime` and its value."""
    several = {(name, value) for name in ("genres", "studios", "tags") for value in getattr(anime, name)}
    return several | ({("made_from", anime.made_from)} if anime.made_from else set())


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """Model and catalogue of one artefact, opened and replaced together."""

    model: Model
    catalogue: Catalogue

    @cached_property
    def facts(self) -> Facts:
        """The catalogue's facts by the model's rows."""
        return Facts(self.model, self.catalogue)

    def named(self, names: TitleNames) -> "ModelBundle":
        """The bundle where titles have other names: a view, made once, which shares model, facts and catalogue."""
        return self if names is self.catalogue.names else self._views[names]

    @cached_property
    def _views(self) -> Mapping[TitleNames, "ModelBundle"]:
        views = {
            names: ModelBundle(self.model, self.catalogue.named(names))
            for names in TitleNames
            if names is not self.catalogue.names
        }
        for view in views.values():
            vars(view)["facts"] = self.facts  # where the cached property looks for it
        return views

    @classmethod
    def read(cls, artefact: Artefact) -> Self:
        """Open a verified artefact.

        Raises:
            ArtefactCorrupt: its files are intact, yet unusable.
            StorageError: they can't be read just now, or there is too little memory.
        """
        try:
            model = Model(Arrays.load(artefact), artefact.manifest, artefact.version)
            return cls(model, Catalogue.read(artefact.path(FILE_NAME)))
        except MemoryError as error:
            raise StorageError(f"There is too little memory to open the model in {artefact.directory}.") from error

    def warm(self) -> None:
        """Compute all that is else computed on first access, so that no request waits for it."""
        for one in (self.model, self.catalogue, self.facts):
            for name, value in vars(type(one)).items():
                if isinstance(value, cached_property):
                    getattr(one, name)


def put_catalogue(
    directory: Path,
    catalogue: Catalogue,
    with_titles: Callable[[Arrays, Manifest, Catalogue], tuple[Arrays, Manifest]] | None = None,
    source: Artefact | None = None,
) -> Artefact:
    """Put a model with another catalogue into a directory, completely or not at all.

    Its version changes with its manifest, though not the date on which it was trained. An artefact of an earlier schema
    is converted to the current one, with the arrays and parameters that opening it assumes.

    Args:
        directory: what holds the model, or will.
        catalogue: the new one.
        with_titles: gives arrays and manifest with rows for titles of the catalogue, as
            `hakken.training.new_titles.with_new_titles` does; without it they stay the same.
        source: the model; by default the one in the directory.

    Raises:
        ModelError: there is no whole artefact, or it can't be replaced.
    """
    old = source or open_artefact(directory)
    with replacing(directory) as staged:
        try:
            arrays, manifest = Arrays.load(old), old.manifest
            if with_titles:
                arrays, manifest = with_titles(arrays, manifest, catalogue)
            arrays.save(staged)
            catalogue.write(staged / FILE_NAME)
            new = write_manifest(staged, manifest)
        except OSError as error:
            raise StorageError(f"The model can't be written: {error.strerror or error}.") from error
        ModelBundle.read(new)  # what can't be opened must not take the place of what can
    return new._replace(directory=directory)
