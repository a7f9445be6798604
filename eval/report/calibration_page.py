"""The page of a calibration: is a probability what it says, and what does each error rate cost?"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.calibrate import CalibrationReport
from nearid_search.eval.held_out import even_rows
from nearid_search.eval.intervals import bootstrap_interval
from nearid_search.eval.metrics import det_curve
from nearid_search.eval.report.charts import Axis, Chart, Guide, Line, Mark, Numbers, log_axis, percent_axis
from nearid_search.eval.report.page import page_environment, save_page, style_and_hash
from nearid_search.eval.report.plots import steps

_KNOWN, _STRANGERS, _ANSWERS, _PERFECT = "known things", "strangers", "answers", "perfect"
_RELIABILITY_BINS = 10
_SCORE_BINS = 40
_LOWEST_RATE = 5e-4
_RESAMPLES = 500  # of each bin's interval: it is looked at, not quoted


def write_calibration_page(report: CalibrationReport, path: Path) -> None:
    """Write a calibration as one HTML file that needs no network.

    Args:
        report: what was found.
        path: the file; its folder must exist. Replaced if it is there, whole or not at all.

    Raises:
        ConfigError: if the file cannot be written.
    """
    style, style_hash = style_and_hash()
    page = (
        page_environment()
        .get_template("calibration.html")
        .render(
            report=report,
            found=report.calibration,
            style=style,
            style_hash=style_hash,
            charts=[reliability_chart(report), score_chart(report), rates_chart(report)],
        )
    )
    save_page(page, path)


def reliability_chart(report: CalibrationReport) -> Chart:
    """Return the share of right answers by confidence, of as many known things as strangers."""
    trials, found = report.trials, report.calibration
    rows = even_rows(trials, seed=found.seed)
    confidence, right = report.held_out.confidence[rows], trials.right[rows].astype(np.float64)
    bins = np.minimum((confidence * _RELIABILITY_BINS).astype(np.int64), _RELIABILITY_BINS - 1)
    marks, words = [], []
    for number in np.unique(bins).tolist():
        inside = bins == number
        share = bootstrap_interval(
            right[inside], trials.identities[rows][inside], resamples=_RESAMPLES, seed=found.seed
        )
        mean = float(confidence[inside].mean())
        marks.append(Mark(_ANSWERS, mean, share.value, share.low, share.high))
        words.append(f"{100 * share.value:.0f} % right of {inside.sum():,} at {mean:.2f}")
    ends = np.array([0.0, 1.0])
    return Chart(
        title="Reliability: right answers by confidence",
        description="; ".join(words) + ".",
        x=percent_axis("confidence"),
        y=percent_axis("answers that were right"),
        lines=(Line(_PERFECT, ends, ends),),
        marks=tuple(marks),
        guides=(Guide(min(found.model.threshold, 1.0), before="match from here"),),
    )


def score_chart(report: CalibrationReport) -> Chart:
    """Return histograms of the best score of known things and of strangers."""
    trials = report.trials
    scores = {_KNOWN: trials.evidence[trials.known, 0], _STRANGERS: trials.evidence[trials.whole, 0]}
    together = np.concatenate(list(scores.values()))
    low, high = math.floor(together.min() * 20) / 20, min(1.0, math.ceil(together.max() * 20) / 20)
    high = high if high > low else low + 0.05
    edges = np.linspace(low, high, _SCORE_BINS + 1)
    shares = {name: _shares(each, edges) for name, each in scores.items()}
    ticks = tuple((float(tick), f"{tick:.2f}") for tick in np.linspace(low, high, 6))
    corners = np.repeat(edges, 2)
    return Chart(
        title="Best score of known things and of strangers",
        description="; ".join(f"{name}: median {np.median(each):.3f} of {len(each):,}" for name, each in scores.items())
        + ".",
        x=Axis("best score (cosine)", low, high, ticks),
        y=percent_axis("share of searches", max(float(each.max()) for each in shares.values())),
        lines=tuple(
            Line(name, corners, np.concatenate([[0.0], np.repeat(each, 2), [0.0]]), filled=True)
            for name, each in shares.items()
        ),
    )


def rates_chart(report: CalibrationReport) -> Chart:
    """Return what share of known things is missed for each share of strangers called a match."""
    trials, found, confidence = report.trials, report.calibration, report.held_out.confidence
    curve = det_curve(confidence[trials.known], confidence[trials.whole], correct=trials.right[trials.known])
    fnir = found.figures["fnir"]
    nan = float("nan")
    low, high = (nan if fnir[end] is None else fnir[end] for end in ("low", "high"))
    said = f"{100 * fnir['value']:.1f} % missed at {100 * found.fpir:g} %"
    return Chart(
        title="Missed, by strangers called a match",
        description=f"{said}, of {found.known:,} known things and {found.strangers:,} strangers.",
        x=log_axis(
            "strangers called a match (FPIR)",
            _LOWEST_RATE,
            1,
            tuple((rate, f"{100 * rate:g} %") for rate in (0.001, 0.01, 0.1, 1.0)),
        ),
        y=percent_axis("known things missed (FNIR)"),
        lines=(Line(_ANSWERS, *steps(curve.false_positive_rate, curve.false_negative_rate)),),
        marks=(Mark(_ANSWERS, found.fpir, fnir["value"], low, high),),
        guides=(Guide(found.fpir, after="asked"),),
    )


def _shares(values: Numbers, edges: NDArray[np.float64]) -> Numbers:
    shares: Numbers = np.histogram(values, edges)[0] / max(len(values), 1)
    return shares
