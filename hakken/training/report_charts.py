"""Charts of the training report: SVG elements of its page, in its colours, with a tooltip for each box."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter

from hakken.model.arrays import Array, Float64s, Int64s
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.training.drawing import svg

SOFT, GRID, STRONG, MARK = "#555b73", "#d5d9e4", "#27356f", "#b5371f"
VARIABLES = {SOFT: "var(--soft)", GRID: "var(--line)", STRONG: "var(--strong)", MARK: "var(--mark)"}
"""Colours that the page's style names, and changes when it is dark."""
STYLE: dict[Any, Any] = {
    "text.color": SOFT, "axes.labelcolor": SOFT, "axes.edgecolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT,
    "grid.color": GRID, "axes.spines.left": False, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True, "ytick.left": False, "font.family": "sans-serif", "font.size": 13,
}  # fmt: skip
PLACE = (0.11, 0.17, 0.87, 0.74)
"""Left and lower edge, width and height of the axes: Matplotlib's own layout draws each chart three times."""
SHORT = EngFormatter(sep="")
"""Writes counts in few characters: 35k, 1.2M."""
FAINTEST = 0.12
"""Opacity of the weakest nonempty cell of a map, which must be visible."""
SIMILARITY_BINS, SUPPORT_BINS = 40, 30
MOST_POINTS = 240
"""Points of a curve; more would not be visible."""


@rc_context(STYLE)
def of_scores(counts: Int64s) -> str:
    """One bar for each score point, `(10,)` counts, with its share above it."""
    points = [str(point) for point in range(MIN_SCORE, MAX_SCORE + 1)]
    figure, panel = _panel("score", "ratings")
    boxes = panel.bar(points, counts, 0.9, color=STRONG)
    panel.bar_label(boxes, [_share(share) for share in counts / counts.sum()], padding=2)
    panel.yaxis.set_major_formatter(SHORT)
    _tell(boxes, [f"{point}: {count:,}" for point, count in zip(points, counts, strict=True)])
    return _svg(figure, "Histogram of scores")


@rc_context(STYLE)
def of_ranks(whose: str, counts: Array, x_name: str) -> str:
    """The scores per user or anime, `(n,)` positive counts in any order, in descending order."""
    falling = np.sort(counts)[::-1]
    ranks = np.unique(np.geomspace(1, len(falling), MOST_POINTS).astype(np.int64))
    figure, panel = _panel(x_name, "scores")
    panel.loglog(ranks, falling[ranks - 1], color=STRONG, linewidth=2.5)
    panel.set_ylim(bottom=1)
    panel.xaxis.set_major_formatter(SHORT)
    panel.yaxis.set_major_formatter(SHORT)
    return _svg(figure, f"Scores per {whose}, in falling order, on logarithmic axes")


@rc_context(STYLE)
def of_similarities(sims: Float64s) -> str:
    """Histogram of `(n,)` similarities with a logarithmic axis of counts."""
    counts, edges = np.histogram(sims, np.linspace(0.0, _upper(sims), SIMILARITY_BINS + 1))
    figure, panel = _panel("similarity", "stored pairs")
    panel.set_ylim(0.5, 2 * max(counts.max(), 1))  # a count of one is visible too
    panel.set_yscale("log")
    boxes = panel.bar(edges[:-1], counts, 0.9 * np.diff(edges), align="edge", color=STRONG)
    panel.yaxis.set_major_formatter(SHORT)
    spans = zip(edges[:-1], edges[1:], counts, strict=True)
    _tell(boxes, [f"{low:.3g} to {high:.3g}: {count:,}" for low, high, count in spans])
    return _svg(figure, "Histogram of the stored similarities, counts on a logarithmic axis")


@rc_context(STYLE)
def of_support(support: Int64s, sims: Float64s) -> str:
    """Density of pairs by support, on a logarithmic axis, and similarity, both `(n,)`, and the median similarity."""
    x = np.geomspace(1, max(int(support.max(initial=1)) + 1, 10), SUPPORT_BINS + 1)
    y = np.linspace(0.0, _upper(sims), SUPPORT_BINS + 1)
    counts = np.histogram2d(support, sims, (x, y))[0].astype(np.int64)
    columns, rows = np.nonzero(counts)
    found = counts[columns, rows]
    (left, right), (low, high) = (x[columns], x[columns + 1]), (y[rows], y[rows + 1])
    filled = np.unique(columns)
    medians = [np.median(sims[np.digitize(support, x) - 1 == column]) for column in filled]
    strengths = FAINTEST + (1 - FAINTEST) * np.log1p(found) / np.log1p(found.max(initial=1))
    figure, panel = _panel("support: users who scored both", "similarity")
    panel.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    panel.set_xscale("log")
    colours = [to_rgba(STRONG, one) for one in strengths]
    boxes = panel.bar(left, high - low, right - left, low, align="edge", color=colours)
    panel.xaxis.set_major_formatter(SHORT)
    panel.plot(np.sqrt(x[filled] * x[filled + 1]), medians, color=MARK, linewidth=2)
    spans = zip(left, right, low, high, found, strict=True)
    _tell(boxes, [f"{a:,.0f} to {b:,.0f}, {c:.2f} to {d:.2f}: {count:,} pairs" for a, b, c, d, count in spans])
    return _svg(figure, "Map of similarity against support, with the median similarity at each support")


def _panel(x_name: str, y_name: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(440 / 72, 280 / 72), facecolor="none")
    panel = figure.add_axes(PLACE, facecolor="none")
    panel.grid(axis="y")
    panel.set_xlabel(x_name, loc="right")
    panel.set_title(y_name, loc="left", fontsize=13, y=1.02)
    return figure, panel


def _svg(figure: Figure, label: str) -> str:
    text = svg(figure).decode()
    text = text[text.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    # Ids would be those of other charts too; those of boxes are their tooltips.
    text = re.sub(r'<g id="tip:([^"]*)">', r"<g><title>\1</title>", text)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    return text


def _tell(boxes: Iterable[Rectangle], texts: Iterable[str]) -> None:
    for box, text in zip(boxes, texts, strict=True):
        box.set_gid(f"tip:{text}")


def _share(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"  # noqa: PLR2004  # would be rounded to 0%


def _upper(sims: Float64s) -> float:
    """The highest similarity, rounded up to a multiple of 0.05."""
    return float(np.ceil(sims.max(initial=0.05) * 20 - 1e-9) / 20)
