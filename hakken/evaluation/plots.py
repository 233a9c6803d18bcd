"""Plots of an evaluation, as SVG; equal outcomes give equal bytes."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hakken.evaluation.outcomes import Outcome
from hakken.model.arrays import Float64s, Int64s

Outcomes = Mapping[str, Sequence[Outcome]]
GROUPS = 5
HIGHLIGHT = "hakken"
COLOURS = colormaps["tab20"].colors  # type: ignore[attr-defined]  # a ListedColormap has it
MARKS = "osD^vP*Xp<>h"


def draw(outcomes: Outcomes, table: pd.DataFrame) -> dict[str, bytes]:
    """Draw all plots.

    Args:
        outcomes: name of a method → its outcomes, one for each salt.
        table: their table, see `result_table.tabulate`.

    Returns:
        File name → content.
    """
    titles = dict(zip(table["method"], table["title"], strict=True))
    lengths = np.concatenate([outcome.lengths for outcome in next(iter(outcomes.values()))])
    popularity = np.concatenate([outcome.popularity for outcome in next(iter(outcomes.values()))])
    by_length = groups_of(lengths)
    by_popularity = groups_of(popularity)
    ndcg = {name: _in_groups(by_length, *_ndcg(each)) for name, each in outcomes.items()}
    found = {name: _in_groups(by_popularity, *_found(each)) for name, each in outcomes.items()}
    return {
        "ndcg-lift.svg": _ndcg_and_lift(table),
        "coverage.svg": _coverage(table),
        "list-length.svg": _lines(
            ndcg, titles, names_of(lengths, by_length), "entries on the list that is given", "NDCG@10"
        ),
        "popularity.svg": _lines(
            found,
            titles,
            names_of(popularity, by_popularity),
            "held-out titles, by how many training users have them on their lists",
            "share found among the first 20",
        ),
    }


def groups_of(values: Int64s) -> Int64s:
    """Divide values into at most `GROUPS` groups of about equal size; equal values are in the same group.

    Returns:
        `(n,)` int64, group of each value; all numbers from 0 occur.
    """
    edges = np.quantile(values, np.linspace(0, 1, GROUPS + 1)[1:-1], method="lower")
    return np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1].astype(np.int64)


def names_of(values: Int64s, groups: Int64s) -> list[str]:
    """Least and greatest value of each group, such as "17-42"."""
    names = []
    for group in range(int(groups.max()) + 1):
        here = values[groups == group]
        low, high = int(here.min()), int(here.max())
        names.append(f"{low:,}" if low == high else f"{low:,}-{high:,}")
    return names


def _ndcg(outcomes: Sequence[Outcome]) -> tuple[Float64s, Float64s]:
    sums = [outcome.sums["ndcg"] for outcome in outcomes]
    return np.concatenate([one.total for one in sums]), np.concatenate([one.weight for one in sums])


def _found(outcomes: Sequence[Outcome]) -> tuple[Float64s, Float64s]:
    found = np.concatenate([outcome.found for outcome in outcomes]).astype(np.float64)
    return found, np.ones_like(found)


def _in_groups(groups: Int64s, total: Float64s, weight: Float64s) -> Float64s:
    return np.asarray(np.bincount(groups, total) / np.bincount(groups, weight))


def _ndcg_and_lift(table: pd.DataFrame) -> bytes:
    with _style():
        figure, panel = _panel()
        for n, row in enumerate(table.to_dict("records")):
            if np.isnan(row["lift"]):
                continue
            spans = [
                np.nan_to_num([[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]).clip(min=0)
                for name in ("lift", "ndcg")
            ]
            panel.errorbar(
                row["lift"], row["ndcg"], xerr=spans[0], yerr=spans[1], label=row["title"], **_look(n, row["method"])
            )
        panel.set_xlabel("lift: how far hits were rated above the user's own mean, score points")
        panel.set_ylabel("NDCG@10")
        return _svg(figure, panel)


def _coverage(table: pd.DataFrame) -> bytes:
    with _style():
        figure, panel = _panel()
        positions = np.arange(len(table))[::-1]
        colours = [_look(n, name)["color"] for n, name in enumerate(table["method"])]
        bars = panel.barh(positions, table["items"], color=colours)
        panel.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
        panel.set_yticks(positions, table["title"].tolist())
        panel.set_xlabel("different titles in all top tens")
        panel.margins(x=0.1)
        return _svg(figure, None)


def _lines(
    values: Mapping[str, Float64s], titles: Mapping[str, str], groups: list[str], x_name: str, y_name: str
) -> bytes:
    with _style():
        figure, panel = _panel()
        for n, (name, heights) in enumerate(values.items()):
            panel.plot(groups, heights, label=titles[name], linestyle="-", **_look(n, name))
        panel.set_xlabel(x_name)
        panel.set_ylabel(y_name)
        panel.set_ylim(bottom=0)
        return _svg(figure, panel)


def _style() -> AbstractContextManager[None]:
    return rc_context({"svg.hashsalt": "hakken", "svg.fonttype": "none"})


def _panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 5), layout="constrained")
    panel = figure.subplots()
    panel.grid(alpha=0.3)
    panel.set_axisbelow(True)
    return figure, panel


def _look(n: int, name: str) -> dict[str, Any]:
    """Colour and marker of the n-th method; Hakken is highlighted."""
    if name == HIGHLIGHT:
        return {"color": "#c44e52", "marker": "*", "markersize": 13, "linewidth": 2.4, "zorder": 5}
    return {"color": COLOURS[n % len(COLOURS)], "marker": MARKS[n % len(MARKS)], "markersize": 6, "linewidth": 1.2}


def _svg(figure: Figure, legend_of: Axes | None) -> bytes:
    if legend_of is not None:
        figure.legend(*legend_of.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    drawn = BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()
