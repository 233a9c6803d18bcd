"""Hakken as it is served, its first stage alone, and Hakken without one part each.

These methods share what is trained on a split: the first stage, and the lists that trees are learnt from.
"""

import tempfile
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.evaluation.methods import DEFAULT, Ask, Method, asking
from hakken.evaluation.protocol import Split
from hakken.model import Parameters, store
from hakken.model.trees import FACTORS, FEATURES, POPULARITY, RATING, SERIES, TIME
from hakken.training import pipeline, ranking
from hakken.training.progress import Progress


class Variant(NamedTuple):
    """Hakken, or how a method differs from it.

    Attributes:
        name, title, note: see `hakken.evaluation.methods.Method`.
        parameters: hyper-parameters that are others.
        unseen: what the features are about that trees are learnt without; "" if with all.
        variety: of the lists.
    """

    name: str
    title: str
    note: str
    parameters: dict[str, float] = {}  # noqa: RUF012  # never changed
    unseen: str = ""
    variety: float = DEFAULT.variety


HAKKEN = Variant(
    "hakken", "Hakken", "trained by `hakken train`'s pipeline and asked through `recommend()`, as pages are"
)
FIRST_STAGE = Variant(
    "first-stage",
    "first stage",
    "Hakken without trees, aversion and variety; where both are tried, Hakken's time to fit is that of both",
    {"trees": 0, "aversion": 0.0},
    variety=0.0,
)
ABLATIONS = (
    *(
        Variant(
            f"hakken-without-{subject}",
            f"Hakken without {subject}",
            f"its trees are learnt without the features about {subject}",
            unseen=subject,
        )
        for subject in (TIME, POPULARITY, SERIES, RATING, FACTORS)
    ),
    Variant("hakken-without-aversion", "Hakken without aversion", "`aversion` is 0", {"aversion": 0.0}),
    Variant("hakken-without-variety", "Hakken without variety", "lists are in the order of the match", variety=0.0),
)


class _Stages:
    """What was trained on a split, each part when it is first needed."""

    def __init__(self, split: Split, parameters: Parameters, catalogue: Catalogue, progress: Progress) -> None:
        self.split = split
        self._parameters, self._catalogue, self._progress = parameters, catalogue, progress
        self._second_stages: dict[str, ranking.SecondStage] = {}

    def model(self, variant: Variant) -> pipeline.Fitted:
        """The model of a variant."""
        parameters = msgspec.structs.replace(self._parameters, **variant.parameters)
        stage = self._second_stage_without(variant.unseen) if parameters.trees else ranking.NO_SECOND_STAGE
        return pipeline.put_second_stage(self._first_stage, stage, parameters)

    @cached_property
    def _first_stage(self) -> pipeline.Fitted:
        without = msgspec.structs.replace(self._parameters, trees=0)
        return pipeline.fit(self.split.training, without, self._catalogue, self._progress)

    @cached_property
    def _material(self) -> ranking.Material:
        fit_inner = pipeline.inner_fit(self._parameters, self._catalogue, self._progress)
        return ranking.material_of(self.split.training, fit_inner, self._progress)

    def _second_stage_without(self, subject: str) -> ranking.SecondStage:
        """One to whose trees no feature about a subject is known: it is constant where they are learnt."""
        if subject not in self._second_stages:
            seen = np.array([one != subject for one in FEATURES.values()])
            factors, lists = self._material
            material = ranking.Material(factors, tuple(one._replace(features=one.features * seen) for one in lists))
            self._second_stages[subject] = ranking.second_stage(material, self._parameters.trees, self._progress)
        return self._second_stages[subject]


def hakken_methods(parameters: Parameters, catalogue: Catalogue) -> dict[str, Method]:
    """Hakken, its first stage and its ablations by name: trained, written as an artefact, opened, asked as pages ask.

    What was trained on the last split is kept. The catalogue may be empty if only rankings and ratings are measured.
    """
    last: list[_Stages] = []

    def method(variant: Variant) -> Method:
        def fit(split: Split, progress: Progress) -> Ask:
            if not last or last[0].split is not split:
                last[:] = [_Stages(split, parameters, catalogue, progress)]
            with tempfile.TemporaryDirectory() as scratch:
                pipeline.save(last[0].model(variant), catalogue, Path(scratch), progress)
                # Memory-mapped arrays stay readable after their files are deleted.
                bundle = ModelBundle.read(store.open_artefact(Path(scratch)))
            return asking(bundle, split.training.anime_ids, variant.variety)

        return Method(variant.name, variant.title, variant.note, fit)

    return {one.name: method(one) for one in (HAKKEN, FIRST_STAGE, *ABLATIONS)}
