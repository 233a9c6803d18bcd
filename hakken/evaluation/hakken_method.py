"""Hakken itself, the whole way: fitted, written as an artefact, opened, and asked as the commands and the pages ask."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.evaluation.method import Answer, Method
from hakken.evaluation.protocol import Split, TestUser
from hakken.model import Parameters, fold_in, predict, store
from hakken.ratings import MAX_N, FranchiseRule, Planned, Preferences, Recommendation
from hakken.recommend import recommend
from hakken.training import pipeline
from hakken.training.progress import SILENT, Progress

RANKING = Preferences(n=20, franchise=FranchiseRule.ALL, adult=True, planned=Planned.HIDE)
"""What ranking is measured with: every title may be shown but those on the list, planned ones too."""
DEFAULT = Preferences(n=MAX_N)
"""What discovery and series are measured with: what a visitor gets who chooses nothing but a long list."""


class Hakken(Method):
    """Hakken as it is served.

    Args:
        parameters: hyper-parameters.
        catalogue: of the titles; empty where only ranking and ratings are measured.
    """

    name = "hakken"
    title = "Hakken"
    note = "trained by `hakken train`'s pipeline and asked through `recommend()`, as the pages are"

    def __init__(self, parameters: Parameters, catalogue: Catalogue) -> None:
        self._parameters = parameters
        self._catalogue = catalogue

    def fit(self, split: Split, progress: Progress = SILENT) -> None:
        """Train, write the artefact and open it."""
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch)
            fitted = pipeline.fit(split.training, self._parameters, self._catalogue, progress)
            pipeline.save(fitted, self._catalogue, place, progress)
            # What is mapped into memory stays readable when its file's name is gone.
            self._bundle = ModelBundle.read(store.open_artefact(place))

    def answer(self, user: TestUser) -> Answer:
        """Recommend twice, all titles allowed and by default, and predict as `hakken predict` does."""
        model = self._bundle.model
        default = recommend(user.given, self._bundle, DEFAULT)
        return Answer(
            ranking=_ids(recommend(user.given, self._bundle, RANKING).recommendations),
            default_list=_ids(default.recommendations),
            r_hat=predict(model, fold_in(model, user.given)),
            continues=_ids(default.continues),
        )


def _ids(shown: Iterable[Recommendation]) -> list[int]:
    return [one.anime_id for one in shown]
