"""Charts as data: axes, lines and marks in the coordinates of a drawing, which a template turns into SVG."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 380, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 22, 18, 42
_CLOSEST = 0.6  # units of the drawing between two points of a line

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """One direction of a chart.

    Attributes:
        label: what it measures, with its unit.
        low: value at the start; values below are drawn there.
        high: value at the end; values above are drawn there.
        ticks: values to name and their names.
        transform: strictly rising; equal steps of its result are equal steps of the drawing.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    transform: Callable[[float], float] = float

    def shares(self, values: Numbers) -> Numbers:
        """Return how far along the axis each value lies, in [0, 1]."""
        start, end = self.transform(self.low), self.transform(self.high)
        inside = np.clip(values, self.low, self.high)
        return np.array([(self.transform(float(value)) - start) / (end - start) for value in inside], np.float64)


def log_axis(label: str, low: float, high: float, ticks: tuple[tuple[float, str], ...]) -> Axis:
    """Return an axis on which equal factors are equal steps."""
    return Axis(label, low, high, ticks, math.log10)


def probit_axis(label: str, low: float, high: float) -> Axis:
    """Return an axis of shares, as DET curves have them: normal deviates are equal steps."""
    shares = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
    ticks = tuple((share, f"{100 * share:g} %") for share in shares if low <= share <= high)
    return Axis(label, low, high, ticks, NormalDist().inv_cdf)


def percent_axis(label: str, high: float = 1.0) -> Axis:
    """Return an axis of shares from 0, in percent, with four or five round ticks."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if high / step <= 5.001)
    end = math.ceil(high / step - 1e-9) * step
    count = round(end / step)
    return Axis(label, 0, end, tuple((step * i, f"{100 * step * i:g} %") for i in range(count + 1)))


@dataclass(frozen=True)
class Line:
    """Points joined in order.

    Attributes:
        series: which readout it is; gives colour and dashes.
        x: (N,) values.
        y: (N,) values.
        filled: shade what is below.
    """

    series: str
    x: Numbers
    y: Numbers
    filled: bool = False


@dataclass(frozen=True)
class Mark:
    """A point with its interval; NaN ends draw none."""

    series: str
    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Guide:
    """A vertical line across the chart, with a word on either side of its top."""

    x: float
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart and what it says in words.

    Attributes:
        title: what it shows.
        description: the text alternative, with the figures that one would read off.
        x: to the right.
        y: upwards.
        lines: later ones are drawn over earlier ones.
        marks: drawn over the lines.
        guides: drawn below the lines.
    """

    title: str
    description: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()
    guides: tuple[Guide, ...] = ()

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM

    @property
    def series(self) -> tuple[str, ...]:
        """Names in the legend."""
        return tuple(dict.fromkeys([*(line.series for line in self.lines), *(mark.series for mark in self.marks)]))

    def across(self, value: float) -> float:
        """Return where a value of x stands in the drawing."""
        return round(float(self._across(np.array([value]))[0]), 1)

    def up(self, value: float) -> float:
        """Return where a value of y stands in the drawing."""
        return round(float(self._up(np.array([value]))[0]), 1)

    def outline(self, line: Line) -> str:
        """Return an SVG path along a line, without points that no eye can tell from the one before."""
        points = np.stack([self._across(line.x), self._up(line.y)], axis=1).round(1)
        kept = points[:1].tolist()
        for place, point in enumerate(points[1:].tolist(), start=1):
            if place == len(points) - 1 or max(abs(point[0] - kept[-1][0]), abs(point[1] - kept[-1][1])) >= _CLOSEST:
                kept.append(point)
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in kept)

    def area(self, line: Line) -> str:
        """Return an SVG path around what lies below a line."""
        first, last = self.across(float(line.x[0])), self.across(float(line.x[-1]))
        return f"{self.outline(line)}L{last:g} {self.bottom}L{first:g} {self.bottom}Z"

    def _across(self, values: Numbers) -> Numbers:
        return self.left + (self.right - self.left) * self.x.shares(values)

    def _up(self, values: Numbers) -> Numbers:
        return self.bottom - (self.bottom - self.top) * self.y.shares(values)
