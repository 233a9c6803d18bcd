"""Summarise an evaluation: a table, plots, and the page that explains them, such as `docs/evaluation.md`."""

import platform
from collections.abc import Hashable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hakken.evaluation import plots
from hakken.evaluation.bootstrap import interval
from hakken.evaluation.methods import Method
from hakken.evaluation.metrics import MEASURES, Measure, SeriesKeys, Sums
from hakken.evaluation.outcomes import Outcome
from hakken.model.arrays import Bools, Int64s
from hakken.ratings import MAX_ENTRIES
from hakken.training.parameters import write_whole
from hakken.training.pipeline import training_date

PAGE, FOLDER, TABLE, GROUPS = "evaluation.md", "evaluation", "table.csv", "groups.csv"
TEMPLATE = Path(__file__).parent / "page.md"
MARK = "†"
"""Marks a method that was also trained on the given lists of the test users."""
ONCE = "‡"
"""Marks a method that was tried with the first salt only."""
DIGITS = 6
GROUPED = ("hakken", "first-stage")
"""Methods that are measured by group too."""
FOUND = Measure("found", "found in 20")
BY_GROUP = (
    *(one for one in MEASURES if one.name in {"ndcg", "ndcg_liked", "lift", "discovery", "discovery_liked"}),
    *(one for one in MEASURES if one.name in {"disliked", "alike", "rmse"}),
    FOUND,
)
LENGTHS = {"lists under 50": (0, 49), "lists of 50-200": (50, 200), "lists over 200": (201, MAX_ENTRIES)}
"""Least and greatest number of given entries."""
WATCHERS = {"titles of under 50": (0, 49), "titles of 50-500": (50, 500), "titles of over 500": (501, np.inf)}
"""Least and greatest number of training users who have a held-out title on their lists."""
LIBRARIES = ("numpy", "scipy", "implicit", "scikit-surprise", "ir-measures")


class Evaluation(NamedTuple):
    """An evaluation and its results.

    Attributes:
        table: one row for each method, see `tabulate`.
        groups: one row for each group and each of some methods, see `by_group`.
        outcomes: name of a method → its outcomes, one for each salt, or only for the first.
        methods: name of a method → the method; it need not be fitted.
        salts: salts that the table was split by.
        source: description of the rating table.
        keys: series keys that discovery was measured by, if it was.
        n_resamples: resamples of the bootstrap.
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    outcomes: Mapping[str, Sequence[Outcome]]
    methods: Mapping[str, Method]
    salts: Sequence[str]
    source: str
    keys: SeriesKeys | None
    n_resamples: int


def tabulate(
    outcomes: Mapping[str, Sequence[Outcome]], methods: Mapping[str, Method], n_resamples: int
) -> pd.DataFrame:
    """One row for each method.

    Returns:
        Columns: `method`, `title`; `salts`, how many it was tried with; `folds_in`, whether it can answer for someone
        who was not in training; for each of `MEASURES` its value, and with `_low` and `_high` the ends of its interval,
        empty where it was not measured; `items`, different titles in all top tens; `people`, test users, both means
        over salts; `fit_seconds` and `answer_ms`, milliseconds a user.
    """
    rows = []
    for name, each in outcomes.items():
        row: dict[str, object] = {"method": name, "title": methods[name].title, "salts": len(each)}
        row["folds_in"] = methods[name].folds_in
        row |= _figures(MEASURES, each, n_resamples)
        figures = [(one.items, len(one.people), one.fit_seconds, 1000 * one.answer_seconds) for one in each]
        row |= zip(("items", "people", "fit_seconds", "answer_ms"), np.mean(figures, axis=0), strict=True)
        rows.append(row)
    return pd.DataFrame(rows).round(DIGITS)  # so that a file holds the values exactly


def by_group(
    outcomes: Mapping[str, Sequence[Outcome]],
    methods: Mapping[str, Method],
    n_resamples: int,
    groups_of: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """One row for each group of people, or of held-out titles, and each of `GROUPED`; `groups_of`: user → group.

    Returns:
        Columns: `method`, `title`, `group`; `people`, test users who count, mean over salts; and those of `BY_GROUP`,
        as in `tabulate`. Of a group of titles only `FOUND` is measured.
    """
    rows = []
    groups_of = groups_of or {}
    for group in (*sorted(set(groups_of.values())), *LENGTHS, *WATCHERS):
        for name in filter(outcomes.__contains__, GROUPED):
            each = [_in_group(one, group, groups_of) for one in outcomes[name]]
            people = np.mean([np.count_nonzero(one.sums[FOUND.name].weight) for one in each])
            row: dict[str, object] = {"method": name, "title": methods[name].title, "group": group, "people": people}
            rows.append(row | _figures(BY_GROUP, each, n_resamples))
    return pd.DataFrame(rows).round(DIGITS)


def _in_group(outcome: Outcome, group: str, groups_of: Mapping[str, str]) -> Outcome:
    """An outcome with the sums of one group, `FOUND` among them."""
    n, owners = len(outcome.people), np.repeat(np.arange(len(outcome.people)), outcome.held_out)
    if group not in WATCHERS:
        members = np.array([groups_of.get(name) == group for name in outcome.people], dtype=np.bool_)
        people = _within(outcome.lengths, LENGTHS[group]) if group in LENGTHS else members
        titles = people[owners]
        sums = {name: Sums(one.total * people, one.weight * people) for name, one in outcome.sums.items()}
    else:
        titles, sums = _within(outcome.popularity, WATCHERS[group]), {}
    sums[FOUND.name] = Sums(
        *(np.bincount(owners, one, n).astype(np.float64) for one in (titles & outcome.found, titles))
    )
    return outcome._replace(sums=sums)


def _within(values: Int64s, ends: tuple[float, float]) -> Bools:
    return np.asarray((ends[0] <= values) & (values <= ends[1]))


def _figures(measures: Iterable[Measure], outcomes: Sequence[Outcome], n_resamples: int) -> dict[str, object]:
    """The columns of some metrics: value and ends of the interval of each."""
    row: dict[str, object] = {}
    for measure in measures:
        ends = (measure.name, f"{measure.name}_low", f"{measure.name}_high")
        row |= zip(ends, figure_of(measure, outcomes, n_resamples), strict=True)
    return row


def figure_of(measure: Measure, outcomes: Sequence[Outcome], n_resamples: int) -> tuple[float, float, float]:
    """Mean of a metric over the salts, with the ends of the percentile interval of a bootstrap over people.

    Someone who is a test user under several salts is resampled with all of their lists, which are not independent. 0
    resamples leave the interval out; NaN stands for what was not measured.
    """
    if any(measure.name not in outcome.sums for outcome in outcomes):
        return np.nan, np.nan, np.nan
    # `(n_people, n_salts)`; 0 where someone is not a test user of a salt.
    total, weight = (
        pd.concat([pd.Series(one.sums[measure.name][part], one.people) for one in outcomes], axis=1)
        .fillna(0)
        .to_numpy()
        for part in (0, 1)
    )

    def mean_of(people: Int64s) -> float:
        return float(np.mean(measure.of(total[people].sum(axis=0), weight[people].sum(axis=0))))

    return interval(mean_of, len(total), n_resamples)


def write(evaluation: Evaluation, directory: Path) -> list[Path]:
    """Write `evaluation.md`, and beside it the folder `evaluation` with tables and plots; each file completely.

    Raises:
        TableError: one can't be written.
    """
    folder = directory / FOLDER
    contents = {folder / name: plot for name, plot in plots.draw(evaluation.outcomes, evaluation.table).items()}
    for name, table in ((TABLE, evaluation.table), (GROUPS, evaluation.groups)):
        contents[folder / name] = table.to_csv(index=False, lineterminator="\n").encode()
    contents[directory / PAGE] = page(evaluation).encode()
    for path, content in contents.items():
        write_whole(path, content)
    return list(contents)


def page(evaluation: Evaluation) -> str:
    """Write the page: what was measured and how, the table, the plots, and a description of each method."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        source=evaluation.source,
        salts=", ".join(f"`{salt}`" for salt in evaluation.salts),
        several="; figures are means over them" if len(evaluation.salts) > 1 else "",
        people=f"{evaluation.table['people'][0]:,.0f}",
        resamples=f"{evaluation.n_resamples:,}",
        keys=evaluation.keys.source if evaluation.keys else "nothing: discovery was not measured",
        table=markdown(evaluation.table),
        groups=markdown_by_group(evaluation.groups) or "Nothing: neither Hakken nor its first stage was measured.\n",
        methods="\n".join(
            f"- **{one.title}**{'' if one.folds_in else f' {MARK}'} (`{one.name}`): {one.note}."
            for one in evaluation.methods.values()
        ),
        made=f"{training_date()[:10]}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    )


def markdown(table: pd.DataFrame) -> str:
    """Write the table as Markdown; a metric that no method has is left out, one that some lack is a dash.

    The table may have been read from a `table.csv`.
    """
    rows = []
    for row in table.to_dict("records"):
        marks = [MARK] if not row["folds_in"] else []
        marks += [ONCE] if row["salts"] < table["salts"].max() else []
        cells = {"method": " ".join([str(row["title"]), *marks])}
        for measure in _measured(MEASURES, table):
            cells[measure.title] = _figure(measure, row)
            if measure.name == "recall":
                cells["items shown"] = f"{row['items']:,.0f}"
        cells |= {"fit, s": f"{row['fit_seconds']:,.1f}", "a user, ms": f"{row['answer_ms']:,.1f}"}
        rows.append(cells)
    return _lines(rows)


def markdown_by_group(groups: pd.DataFrame) -> str:
    """Write the table of groups as Markdown, in the same way; "" if no method was measured by group."""
    rows = []
    for row in groups.to_dict("records"):
        cells = {"group": str(row["group"]), "method": str(row["title"]), "people": f"{row['people']:,.0f}"}
        rows.append(cells | {measure.title: _figure(measure, row) for measure in _measured(BY_GROUP, groups)})
    return _lines(rows) if rows else ""


def _measured(measures: Iterable[Measure], table: pd.DataFrame) -> list[Measure]:
    return [measure for measure in measures if measure.name in table and table[measure.name].notna().any()]


def _lines(rows: Sequence[Mapping[str, str]]) -> str:
    """Write rows, cells by the names of their columns, as Markdown; all but the first are aligned to the right."""
    lines = [list(rows[0]), *(list(cells.values()) for cells in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    padded = [[name.ljust(widths[0]), *map(str.rjust, rest, widths[1:])] for name, *rest in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def _figure(measure: Measure, row: Mapping[Hashable, Any]) -> str:
    """A value and half the width of its interval, such as "0.579 ±0.013"."""
    value, low, high = (float(row[measure.name + end]) for end in ("", "_low", "_high"))
    if np.isnan(value):
        return "–"  # noqa: RUF001  # a dash, for a table
    text = f"{value:{'+' if measure.signed else ''}.{measure.digits}f}"
    return text if np.isnan(low) else f"{text} ±{(high - low) / 2:.{measure.digits}f}"
