"""Is one encoder better than another on the same samples, or was it chance? Tests that resample whole identities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.eval.intervals import (
    RESAMPLES,
    Clusters,
    Interval,
    bootstrap_interval,
    cluster_sums,
    or_none,
    resample_statistic,
)

Statistic = Callable[[NDArray[np.int64]], float]
"""Of the rows it is given, (R,) row numbers with repeats; NaN where it does not exist."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """How much better one encoder is than another on the same samples.

    Attributes:
        difference: figure of the first less that of the second, with its interval.
        p_value: two-sided, of the difference being chance; NaN where there is no interval.
        n_dropped: samples that only one of the two could be judged on; counted nowhere else.
    """

    difference: Interval
    p_value: float
    n_dropped: int

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of the interval, ``p_value`` and ``n_dropped``, JSON-ready."""
        return {**self.difference.as_dict(), "p_value": or_none(self.p_value), "n_dropped": self.n_dropped}


def paired_difference(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    clusters: Clusters,
    *,
    weights: NDArray[np.floating] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Test whether two encoders differ in a weighted mean over the same samples.

    The interval is the bootstrap's of the differences. The p-value is a sign-flip permutation test's: were the two
    encoders alike, swapping them on all samples of an identity would change nothing. It counts the observed difference
    among the permuted ones, so it is never 0.

    Args:
        first: (N,) float values of one encoder; NaN where there is none.
        second: (N,) float values of the other on the same samples.
        clusters: (N,) identity of each sample.
        weights: (N,) as in ``bootstrap_interval``.
        resamples: bootstrap resamples and permutations, at least 1.
        seed: of both.

    Returns:
        The difference, first less second.

    Raises:
        ShapeError: as in ``bootstrap_interval``.
        ValueError: if ``resamples`` is below 1.
    """
    if first.shape != second.shape:
        raise ShapeError(f"both encoders need values of the same samples, got {first.shape} and {second.shape}")
    differences = first.astype(np.float64) - second
    interval = bootstrap_interval(differences, clusters, weights=weights, resamples=resamples, seed=seed)
    n_dropped = int((np.isnan(first) != np.isnan(second)).sum())
    if interval.reason:
        return PairedDifference(difference=interval, p_value=float("nan"), n_dropped=n_dropped)
    numerators, _, _ = cluster_sums(differences, clusters, weights)
    sizes, counts = np.unique(np.abs(numerators), return_counts=True)
    observed = abs(numerators.sum())
    # Of m clusters with one size, those that keep their sign are binomial: no need to flip each on its own.
    kept = np.random.default_rng(seed).binomial(counts, 0.5, size=(resamples, len(counts)))
    permuted = np.abs((2 * kept - counts) @ sizes)
    as_far = permuted >= observed - 1e-9 * np.abs(numerators).sum()
    return PairedDifference(
        difference=interval, p_value=float((1 + as_far.sum()) / (1 + resamples)), n_dropped=n_dropped
    )


def paired_statistic(
    first: Statistic, second: Statistic, clusters: Clusters, *, resamples: int = RESAMPLES, seed: int = 0
) -> PairedDifference:
    """Test whether two encoders differ in a statistic that is no mean over samples.

    Both are computed on the same resamples. Swapping the encoders on some identities, as ``paired_difference`` does,
    would mix their scores, which have no common scale. So the p-value is the interval's own: twice the share of
    resamples on the far side of 0, which is below 0.05 where the interval leaves 0 out. It is never 0.

    Args:
        first: of one encoder.
        second: of the other, on the same rows.
        clusters: (N,) identity of each row.
        resamples: at least 1.
        seed: of the resampling.

    Returns:
        The difference, first less second.

    Raises:
        ShapeError: if ``clusters`` is not one-dimensional.
        ValueError: if ``resamples`` is below 1.
    """
    interval, drawn = resample_statistic(
        lambda rows: first(rows) - second(rows), clusters, resamples=resamples, seed=seed
    )
    if interval.reason:
        return PairedDifference(difference=interval, p_value=float("nan"), n_dropped=0)
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return PairedDifference(
        difference=interval, p_value=min(1.0, float(2 * (1 + beyond) / (1 + len(drawn)))), n_dropped=0
    )
