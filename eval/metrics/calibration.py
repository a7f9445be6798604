"""Calibration: do answers given with a confidence of 0.9 turn out right nine times in ten?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError


@dataclass(frozen=True, kw_only=True, eq=False)
class ReliabilityCurve:
    """What came true in each bin of probability; bins without a case are left out, so all are (B,), B <= bins.

    Attributes:
        mean_probability: float64, ascending.
        share_true: float64 in [0, 1].
        counts: int64, at least 1.
    """

    mean_probability: NDArray[np.float64]
    share_true: NDArray[np.float64]
    counts: NDArray[np.int64]


def reliability_curve(
    probabilities: NDArray[np.floating], outcomes: NDArray[np.bool_], *, bins: int = 15, adaptive: bool = False
) -> ReliabilityCurve:
    """Compare probabilities with outcomes bin by bin.

    A bin holds the probabilities above its lower edge up to and including its upper one; 0 is in the first. Adaptive
    bins hold equal shares of the cases (Nixon et al., arXiv 1904.01685), except that equal probabilities share a bin:
    otherwise the order of the rows would decide.

    Args:
        probabilities: (N,) float in [0, 1] that the answer is right.
        outcomes: (N,) bool: whether it was.
        bins: at least 1.
        adaptive: equal shares of the cases instead of equal widths.

    Returns:
        The curve; without cases it has no bins.

    Raises:
        ShapeError: if an array is not as described, or a probability is NaN or outside [0, 1].
        ValueError: if ``bins`` is below 1.
    """
    _check(probabilities, outcomes, bins)
    wide = probabilities.astype(np.float64)
    if adaptive:
        last = (np.arange(1, bins + 1) * len(wide) + bins - 1) // bins - 1  # ceil(b * N / bins), 0-based
        uppers = np.unique(np.sort(wide)[last]) if len(wide) else wide
    else:
        uppers = np.linspace(0, 1, bins + 1)[1:]
    bin_of = np.searchsorted(uppers, wide, side="left")
    counts = np.bincount(bin_of, minlength=len(uppers)).astype(np.int64)
    kept = counts > 0
    sums, hits = (np.bincount(bin_of, weights, len(uppers))[kept] for weights in (wide, outcomes))
    return ReliabilityCurve(mean_probability=sums / counts[kept], share_true=hits / counts[kept], counts=counts[kept])


def expected_calibration_error(
    probabilities: NDArray[np.floating], outcomes: NDArray[np.bool_], bins: int = 15, *, adaptive: bool = False
) -> float:
    """Return the mean gap between probability and outcome over bins, weighted by the cases in each.

    ``ECE = sum_b n_b / N * |share true in b - mean probability in b|`` (Guo et al., arXiv 1706.04599), which has equal
    widths; the adaptive rival has bins of equal shares. The figure depends on ``bins``: never compare across settings.

    Args:
        probabilities: (N,) float in [0, 1] that the answer is right.
        outcomes: (N,) bool: whether it was.
        bins: at least 1.
        adaptive: equal shares of the cases instead of equal widths.

    Returns:
        A value in [0, 1]; NaN without cases.

    Raises:
        ShapeError: if an array is not as described, or a probability is NaN or outside [0, 1].
        ValueError: if ``bins`` is below 1.

    Example:
        >>> expected_calibration_error(np.array([1.0, 1.0, 0.0, 0.0]), np.array([True, False, False, False]))
        0.25
    """
    curve = reliability_curve(probabilities, outcomes, bins=bins, adaptive=adaptive)
    if not len(probabilities):
        return float("nan")
    gaps = np.abs(curve.share_true - curve.mean_probability)
    return float((gaps * curve.counts).sum() / len(probabilities))


def _check(probabilities: NDArray[np.floating], outcomes: NDArray[np.bool_], bins: int) -> None:
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    if probabilities.ndim != 1 or not np.issubdtype(probabilities.dtype, np.floating):
        raise ShapeError(f"probabilities must be (N,) float, got {probabilities.shape} {probabilities.dtype}")
    if outcomes.shape != probabilities.shape or outcomes.dtype != np.bool_:
        raise ShapeError(f"outcomes must be {probabilities.shape} bool, got {outcomes.shape} {outcomes.dtype}")
    valid = (probabilities >= 0) & (probabilities <= 1)
    if not valid.all():
        row = int(np.argmin(valid))
        raise ShapeError(f"probabilities must be in [0, 1]: row {row} is {probabilities[row]}")
