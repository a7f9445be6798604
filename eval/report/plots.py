"""The plots of a report: margins, Recall@k and the open-set curves."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nearid_search.eval.eval_report import EvalReport, ReadoutReport
from nearid_search.eval.metrics import det_curve
from nearid_search.eval.protocols.gallery import CUT_OFFS
from nearid_search.eval.protocols.open_set import RATES
from nearid_search.eval.report.charts import (
    Axis,
    Chart,
    Guide,
    Line,
    Mark,
    Numbers,
    log_axis,
    percent_axis,
    probit_axis,
)

_DEEPEST = 50  # of the Recall@k curve
_LOWEST_RATE = 5e-4  # where open-set curves begin, left of the lowest marked rate
_MARGIN_BINS = 60
_MOST_SOURCES = 12

Readouts = Mapping[str, ReadoutReport]


def margin_charts(report: EvalReport) -> list[Chart]:
    """Return a histogram of margins over all sources, and one for each of the first twelve sources if several."""
    found = {name: readout.pairs.margins for name, readout in report.readouts.items()}
    pooled = {name: each.margins[~np.isnan(each.margins)] for name, each in found.items()}
    if not any(map(len, pooled.values())):
        return []
    axis, width = _margin_axis(np.concatenate(list(pooled.values())))
    charts = [_histogram("All sources", pooled, axis, width)]
    sources = sorted(next(iter(report.readouts.values())).pairs.per_source)
    for source in sources[:_MOST_SOURCES] if len(sources) > 1 else []:
        of_source = {name: each.margins[each.sources == source] for name, each in found.items()}
        values = {name: margins[~np.isnan(margins)] for name, margins in of_source.items()}
        charts.append(_histogram(source, values, axis, width))
    return charts


def recall_chart(report: EvalReport) -> Chart | None:
    """Return Recall@k by k, with intervals at the cut-offs; None if every query is lone."""
    lines, marks, words = [], [], []
    deepest = min(_DEEPEST, max(next(iter(report.readouts.values())).gallery.n_indexed - 1, 2))
    ks = np.arange(1, deepest + 1)
    for name, readout in report.readouts.items():
        ranks = readout.gallery.first_ranks[readout.gallery.first_ranks > 0]
        if not len(ranks):
            return None
        found = np.searchsorted(np.sort(ranks), ks, side="right") / len(ranks)
        lines.append(Line(name, ks.astype(np.float64), found))
        figures = {k: readout.gallery.figures[f"recall@{k}"] for k in CUT_OFFS if k <= deepest}
        marks += [Mark(name, k, figure.value, figure.low, figure.high) for k, figure in figures.items()]
        said = ", ".join(f"{100 * figure.value:.1f} % at {k}" for k, figure in figures.items())
        words.append(f"{name}: {said} ({len(ranks):,} queries)")
    ticks = tuple((float(k), str(k)) for k in (1, 2, 5, 10, 20, 50) if k <= deepest)
    return Chart(
        title="Recall@k",
        description="; ".join(words) + ".",
        x=log_axis("k, pictures looked at", 1, deepest, ticks),
        y=percent_axis("queries answered"),
        lines=tuple(reversed(lines)),
        marks=tuple(reversed(marks)),
    )


def open_set_charts(report: EvalReport) -> list[Chart]:
    """Return the ROC and the DET curve of the open-set searches; none if there were none of a kind."""
    curves = {}
    for name, readout in report.readouts.items():
        trials = readout.open_set.trials
        if not trials.mated.any() or trials.mated.all():
            return []
        own, strange = trials.scores[trials.mated], trials.scores[~trials.mated]
        curves[name] = det_curve(own, strange, correct=trials.right[trials.mated])
    drawn = {name: (curve.false_positive_rate, curve.false_negative_rate) for name, curve in curves.items()}
    ticks = tuple((rate, f"{100 * rate:g} %") for rate in (0.001, 0.01, 0.1, 1.0))
    rates = "strangers accepted (FPIR)"
    return [
        _open_set(
            "ROC: found, by strangers accepted",
            {name: steps(x, 1 - y) for name, (x, y) in drawn.items()},
            log_axis(rates, _LOWEST_RATE, 1, ticks),
            percent_axis("found and accepted (DIR)"),
            _operating_points(report.readouts, "dir@far"),
        ),
        _open_set(
            "DET: missed, by strangers accepted",
            {name: steps(x, y) for name, (x, y) in drawn.items()},
            probit_axis(rates, _LOWEST_RATE, 0.99),
            probit_axis("missed (FNIR)", 0.001, 0.99),
            _operating_points(report.readouts, "fnir@fpir"),
        ),
    ]


def _margin_axis(margins: Numbers) -> tuple[Axis, float]:
    """Return an axis that holds all margins and 0 with some room, and the width of its bins."""
    low, high = min(float(margins.min()), 0.0), max(float(margins.max()), 0.0)
    rough = max(high - low, 1e-3) / _MARGIN_BINS
    size = 10.0 ** math.floor(math.log10(rough))
    width = next(step * size for step in (1, 2, 5, 10) if step * size >= rough)
    # One empty bin on either side closes the outlines.
    first, last = math.ceil(low / width) - 2, math.ceil(high / width) + 1
    stride = next(step for step in (5, 10, 20, 50) if (last - first) / step <= 7)
    numbers = [number for number in range(first, last + 1) if number % stride == 0]
    ticks = tuple((number * width, f"{number * width:+.3g}" if number else "0") for number in numbers)
    return Axis("margin (cosine)", first * width, last * width, ticks), width


def _histogram(title: str, values: Mapping[str, Numbers], axis: Axis, width: float) -> Chart:
    edges = np.arange(round(axis.low / width), round(axis.high / width) + 1)
    shares, words = {}, []
    for name, margins in values.items():
        # Closed on the right, as a margin of exactly 0 loses: it belongs to the bin that ends there.
        places = np.ceil(margins / width).astype(np.int64) - 1 - edges[0]
        counts = np.bincount(places, minlength=len(edges) - 1)
        shares[name] = counts / max(len(margins), 1)
        won = f"{100 * np.mean(margins > 0):.1f} % of {len(margins):,} above 0, median {np.median(margins):+.3f}"
        words.append(f"{name}: {won}" if len(margins) else f"{name}: no margin")
    highest = max(float(each.max()) for each in shares.values())
    ends = np.repeat(edges * width, 2)
    lines = [
        Line(name, ends[1:-1], np.repeat(each, 2), filled=True) for name, each in shares.items() if len(values[name])
    ]
    return Chart(
        title=title,
        description="; ".join(words) + ".",
        x=axis,
        y=percent_axis("share of margins", max(highest, 0.01)),
        lines=tuple(reversed(lines)),
        guides=(Guide(0.0, "lost", "won"),),
    )


def _operating_points(readouts: Readouts, figure: str) -> list[Mark]:
    marks = []
    for name, readout in readouts.items():
        for rate in RATES:
            found = readout.figures[f"{figure}={rate}"]
            if not math.isnan(found.value):
                marks.append(Mark(name, rate, found.value, found.low, found.high))
    return marks


def _open_set(title: str, lines: Mapping[str, tuple[Numbers, Numbers]], x: Axis, y: Axis, marks: list[Mark]) -> Chart:
    words = []
    for name in lines:
        points = [f"{100 * mark.y:.1f} % at FPIR {100 * mark.x:g} %" for mark in marks if mark.series == name]
        words.append(f"{name}: {', '.join(points) or 'too few strangers for a rate of 1 %'}")
    return Chart(
        title=title,
        description=f"{y.label}. {'; '.join(words)}.",
        x=x,
        y=y,
        lines=tuple(Line(name, *lines[name]) for name in reversed(list(lines))),
        marks=tuple(reversed(marks)),
        guides=tuple(Guide(rate, after=f"{100 * rate:g} %") for rate in RATES),
    )


def steps(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """Return the corners of a curve that stays where it is until the next point, from its last point at x = 0 on."""
    first = np.searchsorted(x, 0, side="right") - 1
    x, y = x[first:], y[first:]
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
