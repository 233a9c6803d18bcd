"""Hakken as a compared method: trained, written as an artefact, opened, and asked as commands and pages ask it."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.evaluation.methods import Answer, Ask, Method
from hakken.evaluation.protocol import Split, TestUser
from hakken.model import Model, Parameters, fold_in, predict, store
from hakken.ratings import MAX_N, FranchiseRule, Planned, Preferences, Recommendation
from hakken.recommend import rank, recommend
from hakken.training import pipeline
from hakken.training.progress import Progress

RANKING = Preferences(n=20, franchise=FranchiseRule.ALL, adult=True, planned=Planned.HIDE)
"""Preferences for measuring rankings: every title may be shown but those on the list, planned ones included."""
DEFAULT = Preferences(n=MAX_N)
"""Preferences for measuring discovery and series: the defaults, with a long list."""


def hakken_method(parameters: Parameters, catalogue: Catalogue) -> Method:
    """Hakken as it is served; the catalogue may be empty if only rankings and ratings are measured."""

    def fit(split: Split, progress: Progress) -> Ask:
        with tempfile.TemporaryDirectory() as scratch:
            fitted = pipeline.fit(split.training, parameters, catalogue, progress)
            pipeline.save(fitted, catalogue, Path(scratch), progress)
            # Memory-mapped arrays stay readable after their files are deleted.
            bundle = ModelBundle.read(store.open_artefact(Path(scratch)))

        def ask(user: TestUser) -> Answer:
            default = recommend(user.given, bundle, DEFAULT)
            return Answer(
                ranking=_ids(recommend(user.given, bundle, RANKING).recommendations),
                default_list=_ids(default.recommendations),
                r_hat=predict(bundle.model, fold_in(bundle.model, user.given)),
                continues=_ids(default.continues),
            )

        return ask

    note = "trained by `hakken train`'s pipeline and asked through `recommend()`, as pages are"
    return Method("hakken", "Hakken", note, fit)


def _ids(shown: Iterable[Recommendation]) -> list[int]:
    return [one.anime_id for one in shown]


def unsaved(fitted: pipeline.Fitted, catalogue: Catalogue, parameters: Parameters | None = None) -> ModelBundle:
    """A bundle of a model that was not written to disk, with other hyper-parameters if given."""
    manifest = msgspec.structs.replace(fitted.manifest, parameters=parameters or fitted.manifest.parameters)
    return ModelBundle(Model(fitted.arrays, manifest, "unsaved"), catalogue)


def ranked_ids(user: TestUser, bundle: ModelBundle, preferences: Preferences) -> list[int]:
    """Anime ids that a user is shown, best first."""
    ids: list[int] = bundle.model.arrays.anime_ids[rank(user.given, bundle, preferences).best.rows].tolist()
    return ids
