"""Interface of the compared methods: fitted to a split, then asked for each user."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

from hakken.evaluation.protocol import Split, TestUser
from hakken.model import top_n
from hakken.model.arrays import Float64s
from hakken.training.progress import SILENT, Progress


class Answer(NamedTuple):
    """Answer of a method for one user.

    Attributes:
        ranking: anime ids, best first, without those of the given list: all titles, or as many as the method shows, at
            least 20 unless there are fewer.
        default_list: anime ids that the method shows by default, if it has its own way to leave out begun series; else
            None.
        r_hat: `(n_items,)` predicted ratings of the training items, score points, not clipped; None if the method
            predicts none.
        continues: anime ids that the method shows as the next parts of begun series, apart from its default list; None
            if it does not.
    """

    ranking: list[int]
    default_list: list[int] | None
    r_hat: Float64s | None
    continues: list[int] | None = None


class Method(ABC):
    """One method.

    Attributes:
        name: name on the command line and in `table.csv`.
        title: name in tables and plots.
        note: description with its settings, for the page.
        folds_in: whether it can answer for a user who was not in training. A method that cannot is also trained on the
            given lists of the test users, and is marked.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    note: ClassVar[str]
    folds_in: ClassVar[bool] = True

    @abstractmethod
    def fit(self, split: Split, progress: Progress = SILENT) -> None:
        """Train on a split: on its training table only or, if the method cannot fold in, on the given lists too."""

    @abstractmethod
    def answer(self, user: TestUser) -> Answer:
        """Answer for one of the split's users."""


class ComparisonMethod(Method):
    """A method that scores every training item."""

    predicts: ClassVar[bool] = False
    """Whether that score is a rating."""
    _split: Split

    def fit(self, split: Split, progress: Progress = SILENT) -> None:
        """Train on a split."""
        self._split = split
        with progress.stage(f"fitting {self.title}"):
            self._fit(split)

    def answer(self, user: TestUser) -> Answer:
        """Rank all training items that are not on the list; of equal scores the lower anime id comes first."""
        scores = self.scores(user)
        allowed = np.ones(len(scores), dtype=np.bool_)
        allowed[self._split.items_of(user.given.ratings)] = False
        order = top_n(scores, allowed, len(scores))
        return Answer(self._split.training.anime_ids[order].tolist(), None, scores if self.predicts else None)

    @abstractmethod
    def _fit(self, split: Split) -> None:
        """Train on a split."""

    @abstractmethod
    def scores(self, user: TestUser) -> Float64s:
        """Score the training items for a user, `(n_items,)` float64, higher is better."""
