"""Layout of charts, which a template draws as SVG.

Coordinates are in an SVG of `WIDTH` × `HEIGHT` units, from the upper left corner.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Array, Float64s, Int64s

WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 54, 428, 20, 232
"""Edges of the plot area; ticks and names are outside."""
FAINTEST = 0.12
"""Opacity of the weakest nonempty cell of a map, which must be visible."""
MOST_POINTS = 240
"""Points of a curve; more would not be visible."""


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    text: str


class Box(NamedTuple):
    """A bar or a cell; `strength` is its opacity, 0-1, and `says` its tooltip."""

    x: float
    y: float
    width: float
    height: float
    strength: float
    says: str


class Chart(NamedTuple):
    """A chart: boxes, a line, or both, and two axes."""

    x_name: str
    y_name: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    boxes: Sequence[Box] = ()
    line: str = ""
    notes: Sequence[Box] = ()


class Scale:
    """Maps values to coordinates, linearly or by logarithm."""

    def __init__(self, low: float, high: float, edges: tuple[float, float], *, log: bool = False) -> None:
        self._turn: Callable[[float], float] = math.log10 if log else float
        self.low, self.high, self.log = low, max(high, low * 10 if log else low + 1e-9), log
        self._edges = edges

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        low, high = self._turn(self.low), self._turn(self.high)
        begin, end = self._edges
        return round(begin + (self._turn(value) - low) / (high - low) * (end - begin), 1)

    def ticks(self) -> list[Tick]:
        """Choose round values: powers of ten, or about five equal steps."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [Tick(self(10**power), short(10**power)) for power in powers]
        step = _round_step((self.high - self.low) / 5)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [Tick(self(n * step), short(n * step)) for n in range(first, last + 1)]


def short(number: float) -> str:
    """Format a number in few characters: 1.2M, 35k, 0.25."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g}{letter}"
    return f"{number:.3g}"


def bars(names: Sequence[str], counts: Int64s, x_name: str, y_name: str) -> Chart:
    """One bar for each name, with its share above it.

    Args:
        names: names of the bars.
        counts: `(len(names),)`.
        x_name: name of the names' axis.
        y_name: name of the counts.
    """
    up = Scale(0, float(counts.max(initial=1)) * 1.02, (BOTTOM, TOP))
    step = (RIGHT - LEFT) / len(names)
    total = max(int(counts.sum()), 1)
    boxes, notes, ticks = [], [], []
    for n, (name, count) in enumerate(zip(names, counts.tolist(), strict=True)):
        x, y = round(LEFT + n * step, 1), up(count)
        boxes.append(Box(x + 2, y, round(step - 4, 1), round(BOTTOM - y, 1), 1, f"{name}: {count:,}"))
        notes.append(Box(round(x + step / 2, 1), y - 5, 0, 0, 1, _share(count / total)))
        ticks.append(Tick(round(x + step / 2, 1), name))
    return Chart(x_name, y_name, ticks, up.ticks(), boxes, notes=notes)


def histogram(values: Float64s, edges: Float64s, x_name: str, y_name: str) -> Chart:
    """Histogram with a logarithmic axis of counts.

    Args:
        values: `(n,)`, in any order.
        edges: `(n_bins + 1,)`, ascending.
        x_name: name of the values.
        y_name: name of the counts.
    """
    counts = np.histogram(values, edges)[0]
    across = Scale(float(edges[0]), float(edges[-1]), (LEFT, RIGHT))
    up = Scale(0.5, float(counts.max(initial=1)), (BOTTOM, TOP), log=True)  # a count of one is visible too
    boxes = []
    for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True):
        if count:
            x, y = across(low), up(count)
            width, height = round(across(high) - x - 1, 1), round(BOTTOM - y, 1)
            boxes.append(Box(x, y, width, height, 1, f"{low:.3g} to {high:.3g}: {count:,}"))
    return Chart(x_name, y_name, across.ticks(), up.ticks(), boxes)


def ranked(counts: Array, x_name: str, y_name: str) -> Chart:
    """Counts in descending order against their rank, on logarithmic axes; zeros are left out.

    Args:
        counts: `(n,)`, in any order.
        x_name: name of the ranked things.
        y_name: name of the counts.
    """
    falling = np.sort(counts[counts > 0])[::-1]
    ranks = np.unique(np.geomspace(1, max(len(falling), 1), MOST_POINTS).astype(np.int64))[: len(falling)]
    across = Scale(1, len(falling), (LEFT, RIGHT), log=True)
    up = Scale(1, float(falling[0]) if len(falling) else 1, (BOTTOM, TOP), log=True)
    points = [(across(rank), up(float(falling[rank - 1]))) for rank in ranks.tolist()]
    return Chart(x_name, y_name, across.ticks(), up.ticks(), line=_line(points))


def density_map(x: Array, y: Float64s, x_edges: Float64s, y_edges: Float64s, names: tuple[str, str, str]) -> Chart:
    """Density of points, with a logarithmic x axis, and a line of the median y of each column.

    Args:
        x: `(n,)`, positive.
        y: `(n,)`.
        x_edges: ascending, positive.
        y_edges: ascending.
        names: names of x, of y, and of the points.
    """
    across = Scale(float(x_edges[0]), float(x_edges[-1]), (LEFT, RIGHT), log=True)
    up = Scale(float(y_edges[0]), float(y_edges[-1]), (BOTTOM, TOP))
    counts = np.histogram2d(x, y, (x_edges, y_edges))[0].astype(np.int64)
    most = math.log1p(float(counts.max(initial=1)))
    boxes = []
    for column, row in np.argwhere(counts).tolist():
        (left, right), (low, high) = x_edges[column : column + 2].tolist(), y_edges[row : row + 2].tolist()
        says = f"{left:,.0f} to {right:,.0f}, {low:.2f} to {high:.2f}: {counts[column, row]:,} {names[2]}"
        width, height = round(across(right) - across(left), 1), round(up(low) - up(high), 1)
        strength = round(FAINTEST + (1 - FAINTEST) * math.log1p(counts[column, row]) / most, 2)
        boxes.append(Box(across(left), up(high), width, height, strength, says))
    line = _line(_medians(x, y, x_edges, across, up))
    return Chart(names[0], names[1], across.ticks(), up.ticks(), boxes, line)


def _medians(x: Array, y: Float64s, x_edges: Float64s, across: Scale, up: Scale) -> list[tuple[float, float]]:
    columns = np.digitize(x, x_edges) - 1
    points = []
    for column in range(len(x_edges) - 1):
        here = y[columns == column]
        if len(here):
            points.append((across(math.sqrt(x_edges[column] * x_edges[column + 1])), up(float(np.median(here)))))
    return points


def _share(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"  # noqa: PLR2004  # would be rounded to 0%


def _line(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
