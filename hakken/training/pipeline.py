"""From tables to an artefact, stage by stage."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from hakken import __version__, catalogue
from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.errors import ConfigError, StorageError
from hakken.model import Model
from hakken.model.arrays import Array, Arrays, Float64s, Int32s
from hakken.model.hyperparameters import Parameters
from hakken.model.manifest import N_QUANTILES, MadeFrom, Manifest, People, Sizes, Unwatched
from hakken.model.store import Artefact, write_manifest
from hakken.model.trees import FEATURES, no_trees
from hakken.ratings import MIN_SCORE
from hakken.training import ranking
from hakken.training.attributes import judged_by_attributes
from hakken.training.factors import no_factors
from hakken.training.matrix import ScoreMatrix, als_baselines
from hakken.training.preferences import facts_of, preference_weights
from hakken.training.progress import SILENT, Progress
from hakken.training.similarities import pearson_baseline, quantise
from hakken.training.tables import RatingTable, Reading

NOTHING_KNOWN = Catalogue([])


class Fitted(NamedTuple):
    """A trained model, not yet on disk.

    Attributes:
        arrays: what serving needs.
        manifest: its description, without the files.
        b_u: `(n_users,)` float64, the training users' biases; an artefact does not hold them.
    """

    arrays: Arrays
    manifest: Manifest
    b_u: Float64s


def fit_scores(
    table: RatingTable, parameters: Parameters, titles: Catalogue = NOTHING_KNOWN, progress: Progress = SILENT
) -> tuple[Float64s, dict[str, Array]]:
    """Compute biases and similarities.

    Returns:
        `b_u`, `(n_users,)` float64, score points; and, by name, the arrays `b_i`, `raters` and
        `sim_*` of `hakken.model.arrays.Arrays`.
    """
    with progress.stage("sorting"):
        matrix = ScoreMatrix.of(table)
    b_u, b_i = als_baselines(matrix, parameters.reg_u, parameters.reg_i, parameters.n_epochs, progress)
    _, _, series = facts_of(table.anime_ids, titles)
    neighbours = pearson_baseline(matrix, matrix.residuals(b_u, b_i), parameters, series, progress)
    return b_u, {"b_i": b_i, "raters": matrix.raters, **quantise(neighbours, int(matrix.raters.max()))}


def fit(
    table: RatingTable,
    parameters: Parameters,
    titles: Catalogue = NOTHING_KNOWN,
    progress: Progress = SILENT,
    made_from: MadeFrom | None = None,
) -> Fitted:
    """Compute biases, similarities and preference weights.

    Titles of the catalogue that may be recommended by their attributes get a row too. The data time of `made_from`
    counts if the table has none.

    Raises:
        TableError: no entry of the table has a score.
    """
    reading = table.reading
    mu = reading.mu  # before anything is computed, since there may be none
    table = with_anime(table, judged_by_attributes(titles))
    b_u, from_scores = fit_scores(table, parameters, titles, progress)
    weights, unwatched = preference_weights(table, mu, titles, parameters, progress)
    arrays = {"anime_ids": table.anime_ids, **from_scores, **weights}
    fitted = described(reading, arrays, b_u, unwatched, parameters, made_from=made_from)
    return with_second_stage(fitted, table, parameters, titles, progress)


def described(
    reading: Reading,
    arrays: Mapping[str, Array],
    b_u: Float64s,
    unwatched: Unwatched,
    parameters: Parameters,
    *,
    made_from: MadeFrom | None,
) -> Fitted:
    """Put together a model without trees, from its arrays by name."""
    has_score = reading.scored > 0  # the bias of the other users is 0 by definition
    made = Arrays(**arrays, **no_factors().packed(arrays["anime_ids"]), **no_trees())
    manifest = Manifest(
        created=training_date(),
        data_time=reading.newest or (made_from.data_time if made_from else None),
        hakken_version=__version__,
        mu=reading.mu,
        sizes=Sizes(
            users=int(np.count_nonzero(has_score)),
            items=reading.n_items,
            entries=reading.kept,
            scored=int(reading.points[MIN_SCORE:].sum()),
            neighbours=len(made.sim_indices),
            preferences=len(made.pref_indices),
        ),
        people=People(
            scores=tuple(reading.points[MIN_SCORE:].tolist()),
            b_u=tuple(np.quantile(b_u[has_score], np.linspace(0.0, 1.0, N_QUANTILES)).tolist()),
        ),
        parameters=parameters,
        made_from=made_from,
        unwatched=unwatched,
        files={},
    )
    return Fitted(made, manifest, b_u)


def with_second_stage(
    fitted: Fitted, table: RatingTable, parameters: Parameters, titles: Catalogue, progress: Progress = SILENT
) -> Fitted:
    """Train the second stage of a model's match, its trees and factors; its other arrays do not change.

    Raises:
        TableError: LightGBM can't be loaded.
    """
    if not parameters.trees:
        return fitted
    fit_inner = inner_fit(parameters, titles, progress)
    material = ranking.material_of(table, fit_inner, progress)
    return put_second_stage(fitted, ranking.second_stage(material, parameters.trees, progress), parameters)


def inner_fit(
    parameters: Parameters, titles: Catalogue, progress: Progress = SILENT
) -> Callable[[RatingTable], ModelBundle]:
    """What trains the models without trees that trees are learnt with."""
    without = msgspec.structs.replace(parameters, trees=0)

    def inner(others: RatingTable) -> ModelBundle:
        made = fit(others, without, titles, progress)
        return ModelBundle(Model(made.arrays, made.manifest, "inner"), titles)

    return inner


def put_second_stage(fitted: Fitted, stage: ranking.SecondStage, parameters: Parameters) -> Fitted:
    """Put trees and factors into a model, and all parameters into its manifest."""
    manifest = msgspec.structs.replace(fitted.manifest, features=tuple(FEATURES), parameters=parameters)
    factors = stage.factors.packed(fitted.arrays.anime_ids)
    return Fitted(dataclasses.replace(fitted.arrays, **factors, **stage.trees), manifest, fitted.b_u)


def with_preference_weights(
    fitted: Fitted, table: RatingTable, parameters: Parameters, titles: Catalogue = NOTHING_KNOWN
) -> Fitted:
    """Train the preference weights of a model again; its other arrays do not change.

    All parameters are put into the manifest.
    """
    table = with_anime(table, fitted.arrays.anime_ids)
    weights, unwatched = preference_weights(table, fitted.manifest.mu, titles, parameters)
    sizes = msgspec.structs.replace(fitted.manifest.sizes, preferences=len(weights["pref_indices"]))
    return Fitted(
        dataclasses.replace(fitted.arrays, **weights),
        msgspec.structs.replace(fitted.manifest, sizes=sizes, parameters=parameters, unwatched=unwatched),
        fitted.b_u,
    )


def with_anime(table: RatingTable, anime_ids: Int32s) -> RatingTable:
    """Add anime to a table, which need not be on any list."""
    everything = np.union1d(table.anime_ids, anime_ids).astype(np.int32)
    if len(everything) == len(table.anime_ids):
        return table
    numbers = np.searchsorted(everything, table.anime_ids).astype(np.int32)
    return dataclasses.replace(table, anime_ids=everything, items=numbers[table.items])


def save(fitted: Fitted, titles: Catalogue, directory: Path, progress: Progress = SILENT) -> Artefact:
    """Write an artefact into an empty directory.

    Raises:
        StorageError: the disk refuses the files.
        ArtefactCorrupt: the artefact that was written can't be opened.
    """
    with progress.stage("writing"):
        try:
            fitted.arrays.save(directory)
            titles.write(directory / catalogue.FILE_NAME)
            artefact = write_manifest(directory, fitted.manifest)
        except OSError as error:
            raise StorageError(f"The model can't be written: {error.strerror or error}.") from error
        ModelBundle.read(artefact)  # a model that cannot be opened must not replace one that can
    return artefact


def training_date() -> str:
    """Now or, for reproducible builds, `SOURCE_DATE_EPOCH` (reproducible-builds.org).

    Raises:
        ConfigError: that variable is not a time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"SOURCE_DATE_EPOCH={epoch!r} is not a time: it must be seconds since 1970.") from error
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
