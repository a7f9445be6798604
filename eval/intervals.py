"""Confidence intervals that resample whole identities.

Queries of one identity, and its margins against several distractors, are not independent: an interval that resamples
them one by one is too narrow. So identities are resampled, each with everything that belongs to it (the cluster
bootstrap; Field and Welsh, *Bootstrapping clustered data*, JRSS B 69, 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError

RESAMPLES = 2_000
CONFIDENCE = 0.95
_BLOCK_CELLS = 4_000_000  # numbers drawn at once
_NOTHING = "nothing to count"
_ONE_CLUSTER = "one identity: an interval takes two or more"

Clusters = NDArray[Any]


class Sampling(TypedDict):
    """How to resample: what every function here takes.

    Attributes:
        resamples: bootstrap resamples and permutations, at least 1.
        seed: of both.
    """

    resamples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure with its 95 % confidence interval.

    Attributes:
        value: the figure on all the data; NaN if there is nothing to count.
        low: lower end; NaN if there is no interval.
        high: upper end; NaN if there is no interval.
        n: values counted; those that are NaN are not.
        n_clusters: identities they belong to.
        reason: why value or interval is NaN; empty if neither is.
    """

    value: float
    low: float
    high: float
    n: int
    n_clusters: int
    reason: str = ""

    @classmethod
    def none(cls, reason: str, *, value: float = float("nan"), n: int = 0, n_clusters: int = 0) -> Interval:
        """Return a figure without interval, and without value if none is given."""
        return cls(value=value, low=float("nan"), high=float("nan"), n=n, n_clusters=n_clusters, reason=reason)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, null for NaN; ``reason`` is there if it says something."""
        figures = {name: or_none(getattr(self, name)) for name in ("value", "low", "high")}
        reason = {"reason": self.reason} if self.reason else {}
        return {**figures, "n": self.n, "n_clusters": self.n_clusters, **reason}


def bootstrap_interval(
    values: NDArray[np.floating],
    clusters: Clusters,
    *,
    weights: NDArray[np.floating] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a weighted mean with its percentile bootstrap interval over resampled clusters.

    The mean is a ratio of sums, ``sum(w v) / sum(w)``, and stays one in every resample: a cluster drawn twice counts
    twice with all its values. Only the sums of each cluster are needed, and clusters with equal sums are drawn
    together, so a million values cost no more memory than their sums.

    Args:
        values: (N,) float; NaN is a value that does not exist and counts nowhere. N may be 0.
        clusters: (N,) what each value belongs to, of any type that can be sorted.
        weights: (N,) finite, >= 0; a weight of 0 takes the value out. All 1 by default.
        resamples: how often to resample, at least 1.
        seed: of the resampling.

    Returns:
        The interval; without ends if there is one cluster, without value if there is none.

    Raises:
        ShapeError: if the arrays are not one-dimensional and of one length, or a weight is negative or not finite.
        ValueError: if ``resamples`` is below 1.

    Example:
        >>> interval = bootstrap_interval(np.array([1.0, 1.0, 0.0]), np.array(["a", "a", "b"]))
        >>> round(interval.value, 3), interval.low, interval.high
        (0.667, 0.0, 1.0)
    """
    numerators, denominators, n = cluster_sums(values, clusters, weights)
    if n == 0:
        return Interval.none(_NOTHING)
    value = float(numerators.sum() / denominators.sum())
    if len(numerators) == 1:
        return Interval.none(_ONE_CLUSTER, value=value, n=n, n_clusters=1)
    low, high = _ends(_resampled_ratios(numerators, denominators, resamples, seed))
    return Interval(value=value, low=low, high=high, n=n, n_clusters=len(numerators))


def bootstrap_statistic(
    statistic: Callable[[NDArray[np.int64]], float],
    clusters: Clusters,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return any statistic with its percentile bootstrap interval, for those that are no ratio of sums.

    Args:
        statistic: of the rows it is given, (R,) row numbers with repeats; NaN where it does not exist.
        clusters: (N,) what each row belongs to. N may be 0.
        resamples: how often to resample, at least 1. Each calls ``statistic`` once.
        seed: of the resampling.

    Returns:
        The interval over the resamples in which the statistic exists; without ends if it fails to in more than one in
        twenty, as what is left would then be no fair sample.

    Raises:
        ShapeError: if ``clusters`` is not one-dimensional.
        ValueError: if ``resamples`` is below 1.
    """
    return resample_statistic(statistic, clusters, resamples=resamples, seed=seed)[0]


def resample_statistic(
    statistic: Callable[[NDArray[np.int64]], float],
    clusters: Clusters,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Interval, NDArray[np.float64]]:
    """Return the interval of ``bootstrap_statistic``, and what it was taken from.

    Args:
        statistic: as in ``bootstrap_statistic``.
        clusters: as in ``bootstrap_statistic``.
        resamples: as in ``bootstrap_statistic``.
        seed: of the resampling.

    Returns:
        The interval, and the statistic of each resample in which it exists.

    Raises:
        ShapeError: if ``clusters`` is not one-dimensional.
        ValueError: if ``resamples`` is below 1.
    """
    _check_resamples(resamples)
    if clusters.ndim != 1:
        raise ShapeError(f"clusters must be (N,), got {clusters.shape}")
    names, codes = np.unique(clusters, return_inverse=True)
    everything = np.arange(len(clusters), dtype=np.int64)
    value = float(statistic(everything)) if len(clusters) else float("nan")
    counts: dict[str, Any] = {"n": len(clusters), "n_clusters": len(names)}
    if np.isnan(value) or len(names) < 2:
        return Interval.none(_NOTHING if np.isnan(value) else _ONE_CLUSTER, value=value, **counts), np.zeros(0)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    generator = np.random.default_rng(seed)
    drawn = np.array(
        [
            statistic(np.concatenate([members[code] for code in generator.integers(len(names), size=len(names))]))
            for _ in range(resamples)
        ]
    )
    present = drawn[~np.isnan(drawn)]
    if len(present) < 0.95 * resamples:
        reason = f"too few identities: the figure exists in {len(present):,} of {resamples:,} resamples"
        return Interval.none(reason, value=value, **counts), present
    low, high = _ends(present)
    return Interval(value=value, low=low, high=high, **counts), present


def cluster_sums(
    values: NDArray[np.floating], clusters: Clusters, weights: NDArray[np.floating] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Add up what belongs to each cluster.

    Args:
        values: (N,) as in ``bootstrap_interval``.
        clusters: (N,) what each value belongs to.
        weights: (N,) as in ``bootstrap_interval``.

    Returns:
        (C,) sums of weighted values, (C,) sums of weights, and how many values there are.

    Raises:
        ShapeError: as in ``bootstrap_interval``.
    """
    shares = np.ones(values.shape) if weights is None else weights
    if values.ndim != 1 or clusters.shape != values.shape or shares.shape != values.shape:
        raise ShapeError(
            f"values, clusters and weights must be (N,), got {values.shape}, {clusters.shape} and {shares.shape}"
        )
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ShapeError("weights must be finite and not negative")
    counted = ~np.isnan(values) & (shares > 0)
    _, codes = np.unique(clusters[counted], return_inverse=True)
    numerators, denominators = (
        np.bincount(codes, weights=each).astype(np.float64)
        for each in (values[counted] * shares[counted], shares[counted])
    )
    return numerators, denominators, int(counted.sum())


def _resampled_ratios(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Draw as many clusters as there are, with replacement, again and again; return the ratio of each draw."""
    _check_resamples(resamples)
    # How often each kind of cluster is drawn is multinomial, which is the same as drawing them one by one.
    kinds, counts = np.unique(numerators + 1j * denominators, return_counts=True)
    shares = counts / counts.sum()
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_CELLS // len(kinds))
    ratios = np.empty(resamples)
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        drawn = generator.multinomial(len(numerators), shares, size=stop - start)
        ratios[start:stop] = (drawn @ kinds.real) / (drawn @ kinds.imag)
    return ratios


def _ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _check_resamples(resamples: int) -> None:
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")


def or_none(value: float) -> float | None:
    """Return a number as JSON has it: null for NaN."""
    return None if np.isnan(value) else value
