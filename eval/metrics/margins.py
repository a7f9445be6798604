"""Margins of views against near-identity distractors: Sample Success Rate and pairwise accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError


@dataclass(frozen=True, kw_only=True)
class MarginScores:
    """How often views of one thing are closer to each other than to its near-identity distractors.

    Fractions are in [0, 1], NaN where there is nothing to count.

    Attributes:
        ssr: Sample Success Rate: share of samples all of whose margins are won.
        pa: pairwise accuracy: share of margins won, pooled over samples.
        pa_reference: the same with each sample's mean margin counted as one more trial, as published tables have it.
        ssr_mean: share of samples whose mean margin is won.
        n_samples: samples with at least one margin.
        n_margins: margins counted.
        n_dropped: samples without any margin, counted nowhere else.
    """

    ssr: float
    pa: float
    pa_reference: float
    ssr_mean: float
    n_samples: int
    n_margins: int
    n_dropped: int


def score_margins(margins: NDArray[np.floating]) -> MarginScores:
    """Count won margins; a margin is won when it is above 0, so a tie loses.

    A margin is ``s(p_i, p_j) - s(p_i, n_i)``: two views of one thing against a distractor on the first one's background
    (arXiv 2604.01973, section 5).

    Args:
        margins: (S, M) float; NaN where a sample has no such margin.

    Returns:
        The scores.

    Raises:
        ShapeError: if ``margins`` is not a two-dimensional float array.
    """
    if margins.ndim != 2 or not np.issubdtype(margins.dtype, np.floating):
        raise ShapeError(f"margins must be (S, M) float, got {margins.shape} {margins.dtype}")
    present = ~np.isnan(margins)
    counts = present.sum(axis=1)
    kept = counts > 0
    won = (margins > 0) & present
    sums = np.where(present, margins, 0).sum(axis=1, dtype=np.float64)
    # The sign of a mean is that of its sum, which needs no division.
    won_means = int((sums[kept] > 0).sum())
    n_samples, n_margins, n_won = int(kept.sum()), int(counts.sum()), int(won.sum())
    return MarginScores(
        ssr=_share(int((won.sum(axis=1) == counts)[kept].sum()), n_samples),
        pa=_share(n_won, n_margins),
        pa_reference=_share(n_won + won_means, n_margins + n_samples),
        ssr_mean=_share(won_means, n_samples),
        n_samples=n_samples,
        n_margins=n_margins,
        n_dropped=len(margins) - n_samples,
    )


def _share(count: int, total: int) -> float:
    return count / total if total else float("nan")
