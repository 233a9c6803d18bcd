"""What every compared method is to the comparison: something that is fitted to a split and then asked, user by user."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

from hakken.evaluation.protocol import Split, TestUser
from hakken.model import top_n
from hakken.model.arrays import Float64s
from hakken.training.progress import SILENT, Progress


class Answer(NamedTuple):
    """What a method says to one user.

    Attributes:
        ranking: anime ids, best first, without those of the list that was given: all titles, or as many as the method
            shows, 20 or more unless there are fewer.
        default_list: anime ids of what the method shows when nothing is chosen, where it has a way of its own to keep
            off what the user began already; else None.
        r_hat: `(n_items,)` predicted ratings of the training items, score points, not clipped; None where the method
            predicts none.
        continues: anime ids of what the method shows apart from its default list, as the next parts of begun series;
            None where it does not.
    """

    ranking: list[int]
    default_list: list[int] | None
    r_hat: Float64s | None
    continues: list[int] | None = None


class Method(ABC):
    """One method.

    Attributes:
        name: on the command line and in `table.csv`.
        title: in tables and plots.
        note: what it is, with its settings, for the page.
        folds_in: whether it can be asked by someone who was not in training. One that can't is trained with the rows
            that test users give added, and marked so.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    note: ClassVar[str]
    folds_in: ClassVar[bool] = True

    @abstractmethod
    def fit(self, split: Split, progress: Progress = SILENT) -> None:
        """Train on a split.

        Args:
            split: only its training table may be learnt from; where the method can't fold in, what users give too.
            progress: told of stages.
        """

    @abstractmethod
    def answer(self, user: TestUser) -> Answer:
        """Answer one of the split's users."""


class ComparisonMethod(Method):
    """A method that gives every training item one number."""

    predicts: ClassVar[bool] = False
    """Whether that number is a rating."""
    _split: Split

    def fit(self, split: Split, progress: Progress = SILENT) -> None:
        """Train on a split."""
        self._split = split
        with progress.stage(f"fitting {self.title}"):
            self._fit(split)

    def answer(self, user: TestUser) -> Answer:
        """Rank all training items less those on the list; of equal scores the lower anime id comes first."""
        scores = self.scores(user)
        allowed = np.ones(len(scores), dtype=np.bool_)
        allowed[self._split.items_of([rating.anime_id for rating in user.given.ratings])] = False
        order = top_n(scores, allowed, len(scores))
        return Answer(self._split.training.anime_ids[order].tolist(), None, scores if self.predicts else None)

    @abstractmethod
    def _fit(self, split: Split) -> None:
        """Train on a split."""

    @abstractmethod
    def scores(self, user: TestUser) -> Float64s:
        """Score the training items for a user, `(n_items,)` float64, higher is better."""
