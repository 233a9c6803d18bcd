"""Plots of an evaluation, as SVG; equal outcomes give equal bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hakken.evaluation.metrics import Sums
from hakken.evaluation.outcomes import Outcome
from hakken.model.arrays import Float64s, Int64s
from hakken.training.drawing import svg

Outcomes = Mapping[str, Sequence[Outcome]]
GROUPS = 5
HIGHLIGHT = "Hakken"
COLOURS = colormaps["tab20"].colors  # type: ignore[attr-defined]  # a ListedColormap has it
MARKS = "osD^vP*Xp<>h"


def draw(outcomes: Outcomes, table: pd.DataFrame) -> dict[str, bytes]:
    """Draw all plots of outcomes and their table, see `result_table.tabulate`; return file name → content."""
    titles = dict(zip(table["method"], table["title"], strict=True))
    every = {name: _joined(each) for name, each in outcomes.items()}
    lengths, popularity, *_ = next(iter(every.values()))
    by_length, by_popularity = groups_of(lengths), groups_of(popularity)
    ndcg = {titles[name]: _means(by_length, *sums) for name, (_, _, sums, _) in every.items()}
    share = {titles[name]: _means(by_popularity, found) for name, (_, _, _, found) in every.items()}
    listed = "held-out titles, by how many training users have them on their lists"
    return {
        "ndcg-lift.svg": _ndcg_and_lift(table),
        "coverage.svg": _coverage(table),
        "list-length.svg": _lines(ndcg, names_of(lengths, by_length), "entries on the list that is given", "NDCG@10"),
        "popularity.svg": _lines(share, names_of(popularity, by_popularity), listed, "share found among the first 20"),
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


def _joined(outcomes: Sequence[Outcome]) -> tuple[Int64s, Int64s, Sums, Float64s]:
    """Lengths, popularity, sums of NDCG and what was found, of all salts."""
    each = [(one.lengths, one.popularity, *one.sums["ndcg"], one.found) for one in outcomes]
    lengths, popularity, total, weight, found = map(np.concatenate, zip(*each, strict=True))
    return lengths, popularity, Sums(total, weight), found.astype(np.float64)


def _means(groups: Int64s, total: Float64s, weight: Float64s | None = None) -> Float64s:
    return np.asarray(np.bincount(groups, total) / np.bincount(groups, weight))


def _ndcg_and_lift(table: pd.DataFrame) -> bytes:
    figure, panel = _panel()
    for n, row in enumerate(table.to_dict("records")):
        if np.isnan(row["lift"]):
            continue
        across, up = (
            np.nan_to_num([[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]).clip(min=0)
            for name in ("lift", "ndcg")
        )
        panel.errorbar(row["lift"], row["ndcg"], up, across, label=row["title"], **_look(n, row["title"]))
    panel.set(xlabel="lift: how far hits were rated above the user's own mean, score points", ylabel="NDCG@10")
    return _with_legend(figure, panel)


def _coverage(table: pd.DataFrame) -> bytes:
    figure, panel = _panel()
    colours = [_look(n, title)["color"] for n, title in enumerate(table["title"])]
    bars = panel.barh(np.arange(len(table))[::-1], table["items"], color=colours)
    panel.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    panel.set_yticks(np.arange(len(table))[::-1], table["title"].tolist())
    panel.set_xlabel("different titles in all top tens")
    panel.margins(x=0.1)
    return svg(figure)


def _lines(values: Mapping[str, Float64s], groups: list[str], x_name: str, y_name: str) -> bytes:
    figure, panel = _panel()
    for n, (title, heights) in enumerate(values.items()):
        panel.plot(groups, heights, label=title, linestyle="-", **_look(n, title))
    panel.set(xlabel=x_name, ylabel=y_name)
    panel.set_ylim(bottom=0)
    return _with_legend(figure, panel)


def _panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 5), layout="constrained")
    panel = figure.subplots()
    panel.grid(alpha=0.3)
    panel.set_axisbelow(True)
    return figure, panel


def _look(n: int, title: str) -> dict[str, Any]:
    """Colour and marker of the n-th method; Hakken is highlighted."""
    if title == HIGHLIGHT:
        return {"color": "#c44e52", "marker": "*", "markersize": 13, "linewidth": 2.4, "zorder": 5}
    return {"color": COLOURS[n % len(COLOURS)], "marker": MARKS[n % len(MARKS)], "markersize": 6, "linewidth": 1.2}


def _with_legend(figure: Figure, panel: Axes) -> bytes:
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return svg(figure)
