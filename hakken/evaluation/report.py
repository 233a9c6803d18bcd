"""Write an evaluation: a table, plots, and the page that explains them, such as `docs/evaluation.md`."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from hakken.evaluation import plots
from hakken.evaluation.method import Method
from hakken.evaluation.metrics import MEASURES, Measure
from hakken.evaluation.outcomes import Outcome
from hakken.evaluation.series_keys import SeriesKeys
from hakken.training.parameters import write_whole
from hakken.training.pipeline import training_date

PAGE, FOLDER, TABLE = "evaluation.md", "evaluation", "table.csv"
TEMPLATE = Path(__file__).parent / "page.md"
MARK = "†"
"""Marks a method that was also trained on the given lists of the test users."""
Row = Mapping[Any, Any]
"""A row of the table, by column."""
LIBRARIES = ("numpy", "scipy", "implicit", "scikit-surprise", "ir-measures")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """An evaluation and its results.

    Attributes:
        table: one row for each method, see `result_table.tabulate`.
        outcomes: name of a method → its outcomes, one for each salt.
        methods: name of a method → the method; it need not be fitted.
        salts: salts that the table was split by.
        source: description of the rating table.
        keys: series keys that discovery was measured by, if it was.
        n_resamples: resamples of the bootstrap.
    """

    table: pd.DataFrame
    outcomes: Mapping[str, Sequence[Outcome]]
    methods: Mapping[str, Method]
    salts: Sequence[str]
    source: str
    keys: SeriesKeys | None
    n_resamples: int


def write(evaluation: Evaluation, directory: Path) -> list[Path]:
    """Write `evaluation.md`, and beside it the folder `evaluation` with `table.csv` and plots; each file completely.

    Raises:
        TableError: one can't be written.
    """
    folder = directory / FOLDER
    contents = {folder / name: plot for name, plot in plots.draw(evaluation.outcomes, evaluation.table).items()}
    contents[folder / TABLE] = evaluation.table.to_csv(index=False, lineterminator="\n").encode()
    contents[directory / PAGE] = page(evaluation).encode()
    for path, content in contents.items():
        write_whole(path, content)
    return list(contents)


def page(evaluation: Evaluation) -> str:
    """Write the page: what was measured and how, the table, the plots, and a description of each method."""
    people = evaluation.table["people"].mean()
    keys = evaluation.keys
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        source=evaluation.source,
        salts=", ".join(f"`{salt}`" for salt in evaluation.salts),
        several="; figures are means over them" if len(evaluation.salts) > 1 else "",
        people=f"{people:,.0f}",
        resamples=f"{evaluation.n_resamples:,}",
        keys=keys.source if keys else "nothing: discovery was not measured",
        table=markdown(evaluation.table),
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
    columns: list[tuple[str, Callable[[Row], str]]] = [("method", _name)]
    for measure in MEASURES:
        if table[measure.name].notna().any():
            columns.append((measure.title, partial(_figure, measure)))
        if measure.name == "recall":
            columns.append(("items shown", lambda row: f"{row['items']:,.0f}"))
    columns.append(("fit, s", lambda row: f"{row['fit_seconds']:,.1f}"))
    columns.append(("a user, ms", lambda row: f"{row['answer_ms']:,.1f}"))
    cells = [[title for title, _ in columns]]
    cells += [[text_of(row) for _, text_of in columns] for row in table.to_dict("records")]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [cells[0], rule, *cells[1:]]
    padded = [[name.ljust(widths[0]), *map(str.rjust, rest, widths[1:])] for name, *rest in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def _name(row: Row) -> str:
    return str(row["title"]) if row["folds_in"] else f"{row['title']} {MARK}"


def _figure(measure: Measure, row: Row) -> str:
    """A value and half the width of its interval, such as "0.579 ±0.013"."""
    value, low, high = (float(row[measure.name + end]) for end in ("", "_low", "_high"))
    if np.isnan(value):
        return "–"  # noqa: RUF001  # a dash, for a table
    text = f"{value:{'+' if measure.signed else ''}.{measure.digits}f}"
    return text if np.isnan(low) else f"{text} ±{(high - low) / 2:.{measure.digits}f}"
