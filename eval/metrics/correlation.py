"""Correlations, and the mean of correlations that part-level scores and human agreement share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nearid_search.errors import ShapeError


def pearson(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Return Pearson's correlation coefficient.

    Args:
        x: (N,) float, finite.
        y: (N,) float, finite.

    Returns:
        A value in [-1, 1]; NaN for fewer than two pairs or where one side does not vary, for which r is undefined.

    Raises:
        ShapeError: if the arrays are not (N,) both, or hold NaN or infinity: remove and count those pairs first.

    Example:
        >>> pearson(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
        1.0
    """
    if x.ndim != 1 or x.shape != y.shape:
        raise ShapeError(f"x and y must both be (N,), got {x.shape} and {y.shape}")
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ShapeError(f"x and y must be finite, pair {row} is {x[row]} and {y[row]}: remove and count such pairs")
    # Equality is asked of the values: the mean of equal values is rounded, and what is left of them is noise.
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return float("nan")
    left, right = (_unit_deviations(values) for values in (x, y))
    return float(np.clip(left @ right, -1, 1))


def _unit_deviations(values: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    # Scaled first, so that the squares of tiny or huge deviations neither vanish nor overflow.
    deviations = wide / np.abs(wide).max()
    deviations -= deviations.mean()
    deviations /= np.abs(deviations).max()
    scaled: NDArray[np.float64] = deviations / np.sqrt((deviations * deviations).sum())
    return scaled


def fisher_mean(correlations: ArrayLike, clip: float = 0.9999) -> float:
    """Average correlations on Fisher's z scale: ``tanh(mean(atanh(r)))``.

    A plain mean of r, the rival, pulls strong correlations towards 0. Each r is first clipped to ``±clip``, as atanh(1)
    is infinite; so the result stays within ``±clip``.

    Args:
        correlations: (N,) in [-1, 1].
        clip: largest magnitude a correlation may have, in (0, 1).

    Returns:
        A value in ``[-clip, clip]``; NaN if one of the correlations is NaN or there is none.

    Raises:
        ShapeError: if ``correlations`` is not one-dimensional or a value is outside [-1, 1].
        ValueError: if ``clip`` is outside (0, 1).

    Example:
        >>> round(fisher_mean([0.0, 0.8]), 4)
        0.5
    """
    values = np.asarray(correlations, np.float64)
    if not 0 < clip < 1:
        raise ValueError(f"clip must be between 0 and 1, got {clip}")
    if values.ndim != 1 or (np.abs(values) > 1).any():
        raise ShapeError(f"correlations must be (N,) in [-1, 1], got {values.shape} {values}")
    if not len(values):
        return float("nan")
    return float(np.tanh(np.arctanh(np.clip(values, -clip, clip)).mean()))
