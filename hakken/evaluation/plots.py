"""Plots of an evaluation, as SVG; equal outcomes give equal bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hakken.evaluation.outcomes import Outcome
from hakken.model.arrays import Float64s, Int64s
from hakken.training.drawing import svg

Outcomes = Mapping[str, Sequence[Outcome]]
GROUPS = 5
HIGHLIGHT = "Hakken"
COLOURS = colormaps["tab20"].colors  # type: ignore[attr-defined]  # a ListedColormap has it
MARKS = "osD^vP*Xp<>h"


def draw(outcomes: Outcomes, table: pd.DataFrame) -> dict[str, bytes]:
    """Draw all plots of outcomes and their table, see `report.tabulate`; return file name → content."""
    by_length: dict[str, Float64s] = {}
    by_popularity: dict[str, Float64s] = {}
    names: tuple[list[str], ...] = ()
    for title, each in zip(table["title"], (outcomes[name] for name in table["method"]), strict=True):
        lengths, popularity, found = (
            np.concatenate([getattr(one, name) for one in each]) for name in ("lengths", "popularity", "found")
        )
        total, weight = np.concatenate([one.sums["ndcg"] for one in each], axis=1)
        of_lengths, of_popularity = groups_of(lengths), groups_of(popularity)
        # Of the first method: one that was tried with fewer salts has slightly other ends.
        names = names or (names_of(lengths, of_lengths), names_of(popularity, of_popularity))
        by_length[title] = np.asarray(np.bincount(of_lengths, total) / np.bincount(of_lengths, weight))
        by_popularity[title] = np.asarray(np.bincount(of_popularity, found) / np.bincount(of_popularity))
    listed = "held-out titles, by how many training users have them on their lists"
    return {
        "ndcg-lift.svg": _ndcg_and_lift(table),
        "coverage.svg": _coverage(table),
        "list-length.svg": _lines(by_length, names[0], "entries on the list that is given", "NDCG@10"),
        "popularity.svg": _lines(by_popularity, names[1], listed, "share found among the first 20"),
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
    each = [values[groups == group] for group in range(int(groups.max()) + 1)]
    return [f"{here.min():,}" if here.min() == here.max() else f"{here.min():,}-{here.max():,}" for here in each]


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
