"""Judge a new model beside the one that is served, for the same people, whom neither was trained on."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from hakken.bundle import ModelBundle
from hakken.errors import LessThanServed
from hakken.evaluation.bootstrap import interval
from hakken.evaluation.methods import Method, asking
from hakken.evaluation.metrics import MEASURES, Measure, series_keys
from hakken.evaluation.outcomes import Outcome, evaluate_method
from hakken.evaluation.protocol import Split, TestUser
from hakken.model.arrays import Int64s
from hakken.model.manifest import Difference, Judgement, Manifest
from hakken.registry.publish import check_no_regression, compared
from hakken.training.progress import SILENT, Progress
from hakken.training.report import template
from hakken.training.tables import RatingTable

JUDGED = {"ndcg_liked": "what people liked", "discovery": "what was new to them"}
"""Measures by which a model is refused: what each is of."""
SHOWN = tuple(measure for measure in MEASURES if measure.name in {"ndcg", "discovery_liked", "next_found", *JUDGED})
TEMPLATE = Path(__file__).with_name("judgement.html")
MIN_JUDGES = 200
N_RESAMPLES = 1000
MAX_SHIFT = 1 / 3
"""Largest difference of the shares of scores, summed and halved, that people may have changed their habits by."""
DIGITS = 6


def judge(
    new: ModelBundle, served: ModelBundle, users: Sequence[TestUser], table: RatingTable, progress: Progress = SILENT
) -> Judgement:
    """Measure both models by what the people went on to watch and like.

    Series are those of the new model's catalogue; what a model does not know it can't be right about.

    Args:
        new: the new model.
        served: the model that is served.
        users: people whom neither was trained on, see `hakken.evaluation.protocol.judges`.
        table: what the new one was trained on.
        progress: receives two stages.

    Returns:
        The judgement, without measures if there are fewer than `MIN_JUDGES` people.
    """
    if len(users) < MIN_JUDGES:
        return Judgement(served.model.version, len(users), {})
    split, keys = Split("", table, tuple(users)), series_keys(new.catalogue)
    outcomes = [
        evaluate_method(_trained(name, bundle), split, keys, progress)
        for name, bundle in (("the new model", new), ("the served model", served))
    ]
    measures = {measure.name: _difference(measure, *outcomes) for measure in SHOWN}
    return Judgement(served.model.version, len(users), measures)


def _trained(name: str, bundle: ModelBundle) -> Method:
    return Method(name, name, "", lambda _, __: asking(bundle))


def _difference(measure: Measure, new: Outcome, served: Outcome) -> Difference:
    values = partial(_mean, measure, new), partial(_mean, measure, served)

    def difference(people: Int64s) -> float:
        return values[0](people) - values[1](people)

    everyone = np.arange(len(new.people))
    _, *ends = interval(difference, len(everyone), N_RESAMPLES)
    ours, theirs, low, high = (_rounded(one) for one in (*(value(everyone) for value in values), *ends))
    return Difference(ours, theirs, low, high)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, DIGITS)


def _mean(measure: Measure, outcome: Outcome, people: Int64s) -> float:
    total, weight = outcome.sums[measure.name]
    return float(measure.of(total[people].sum(), weight[people].sum()))


def faults(judgement: Judgement, new: Manifest, served: Manifest) -> Iterator[str]:
    """Sentences that say why a model should not take the place of the one that is served; none if it may."""
    if judgement.people < MIN_JUDGES:
        yield f"Only {judgement.people:,} people are available to judge it; {MIN_JUDGES} are needed."
    for name, of_what in JUDGED.items():
        found = judgement.measures.get(name)
        if found and found.high is not None and found.high < 0:
            yield (
                f"It finds less of {of_what}: {found.new:.3f}, not {found.served:.3f}; the difference is between "
                f"{found.low:+.3f} and {found.high:+.3f}."
            )
    shares = [np.array(one.people.scores) / sum(one.people.scores) for one in (new, served)]
    shift = float(np.abs(shares[0] - shares[1]).sum()) / 2
    if shift > MAX_SHIFT:
        yield f"People score differently than before: {shift:.0%} of all scores would have to change to match."
    try:
        check_no_regression(served, new)
    except LessThanServed as error:
        yield str(error)


def page(judgement: Judgement, found: Sequence[str], version: str, new: Manifest, served: Manifest) -> bytes:
    """Write a page about a judgement, with the faults that were found; it loads no resources and runs no scripts."""
    text = template(TEMPLATE).render(
        judgement=judgement,
        faults=found,
        version=version,
        new=new,
        known=compared(new),
        before=compared(served),
        judged=JUDGED,
        titles={measure.name: measure.title for measure in SHOWN},
    )
    return text.encode()
