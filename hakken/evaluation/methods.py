"""The compared methods, fitted to a split and then asked for each user: bundles, and methods that score all titles."""

import re
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from io import TextIOBase
from typing import NamedTuple

import msgspec
import numpy as np

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.evaluation.protocol import Split, TestUser
from hakken.model import Model, Parameters, fold_in, predict, top_n
from hakken.model.arrays import Float64s, Int32s
from hakken.ratings import MAX_N, FranchiseRule, Planned, Preferences, Recommendation
from hakken.recommend import rank, recommend
from hakken.training.pipeline import Fitted
from hakken.training.progress import Advance, Progress

RANKING = Preferences(n=20, franchise=FranchiseRule.ALL, adult=True, planned=Planned.HIDE)
"""Preferences for measuring rankings: every title may be shown but those on the list, planned ones included."""
DEFAULT = Preferences(n=MAX_N)
"""Preferences for measuring discovery and series: the defaults, with a long list."""


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
    default_list: list[int] | None = None
    r_hat: Float64s | None = None
    continues: list[int] | None = None

    @property
    def shown(self) -> list[int]:
        """The default list or, of a method without one, the ranking."""
        return self.ranking if self.default_list is None else self.default_list


Ask = Callable[[TestUser], Answer]
"""A fitted method."""
Scores = Callable[[TestUser], Float64s]
"""A fitted method's scores of the training items for one of the split's users, `(n_items,)`, higher is better."""


class Method(NamedTuple):
    """One method.

    Attributes:
        name: name on the command line and in `table.csv`.
        title: name in tables and plots.
        note: description with its settings, for the page.
        fit: trains it on a split, and returns what answers for one of the split's users.
        scores: what it ranks the training items by, if by scores.
        folds_in: whether it can answer for a user who was not in training. A method that cannot is also trained on the
            given lists of the test users, and is marked.
    """

    name: str
    title: str
    note: str
    fit: Callable[[Split, Progress], Ask]
    scores: Callable[[Split], Scores] | None = None
    folds_in: bool = True


def asking(bundle: ModelBundle, predicted: Int32s | None = None, variety: float = DEFAULT.variety) -> Ask:
    """A bundle as a fitted method; it predicts the ratings of some anime, `(n_items,)` MyAnimeList ids, if given."""
    rows = None if predicted is None else bundle.model.rows_of(predicted)[0]
    ranked, listed = (msgspec.structs.replace(one, variety=variety) for one in (RANKING, DEFAULT))

    def ask(user: TestUser) -> Answer:
        default = recommend(user.given, bundle, listed)
        return Answer(
            ranking=_ids(recommend(user.given, bundle, ranked).recommendations),
            default_list=_ids(default.recommendations),
            r_hat=None if rows is None else predict(bundle.model, fold_in(bundle.model, user.given))[rows],
            continues=_ids(default.continues),
        )

    return ask


def _ids(shown: Iterable[Recommendation]) -> list[int]:
    return [one.anime_id for one in shown]


def unsaved(fitted: Fitted, catalogue: Catalogue, parameters: Parameters | None = None) -> ModelBundle:
    """A bundle of a model that was not written to disk, with other hyper-parameters if given."""
    manifest = msgspec.structs.replace(fitted.manifest, parameters=parameters or fitted.manifest.parameters)
    return ModelBundle(Model(fitted.arrays, manifest, "unsaved"), catalogue)


def ranked_ids(user: TestUser, bundle: ModelBundle, preferences: Preferences) -> list[int]:
    """Anime ids that a user is shown, best first."""
    ids: list[int] = bundle.model.arrays.anime_ids[rank(user.given, bundle, preferences).best.rows].tolist()
    return ids


def scoring(
    name: str, title: str, note: str, *, predicts: bool = False, folds_in: bool = True, epochs: int | None = None
) -> Callable[[Callable[[Split], Scores]], Method]:
    """Make a `Method` of a function that scores every training item.

    `predicts`: that score is a rating; `epochs`: the number of epochs that fitting prints.
    """

    def method(scores: Callable[[Split], Scores]) -> Method:
        def fit(split: Split, progress: Progress) -> Ask:
            with progress.stage(f"fitting {title}", epochs, "epochs") as advance, redirect_stdout(_Epochs(advance)):
                scores_of = scores(split)

            def ask(user: TestUser) -> Answer:
                """Rank all training items that are not on the list; of equal scores the lower anime id comes first."""
                found = scores_of(user)
                allowed = np.ones(len(found), dtype=np.bool_)
                allowed[split.items_of(user.given.ratings)] = False
                ranking = split.training.anime_ids[top_n(found, allowed, len(found))].tolist()
                return Answer(ranking, r_hat=found if predicts else None)

            return ask

        return Method(name, title, note, fit, scores, folds_in)

    return method


class _Epochs(TextIOBase):
    """Reads what a verbose fit prints: the only way to get the progress of Surprise's compiled code, and to stop it."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def write(self, text: str, /) -> int:
        """Receive a printed part of a line."""
        if re.search(r"processing epoch (\d+)", text, re.IGNORECASE):
            self._advance(1)
        return len(text)
