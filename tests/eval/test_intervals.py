"""Intervals against exhaustive resampling, an outside library, and a distribution that is known."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nearid_search.errors import ShapeError
from nearid_search.eval.intervals import bootstrap_interval, bootstrap_statistic

Values = NDArray[np.float64]


def all_ratios(values: Values, clusters: NDArray[np.int64], weights: Values) -> Values:
    """The weighted mean of every possible draw of clusters, each as likely as the others."""
    names = np.unique(clusters)
    found = []
    for drawn in product(names, repeat=len(names)):
        rows = np.concatenate([np.flatnonzero(clusters == name) for name in drawn])
        found.append(float(np.average(values[rows], weights=weights[rows])))
    return np.array(found)


@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed={seed}")
def test_ends_are_those_of_all_possible_draws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = np.concatenate([np.arange(5), rng.integers(5, size=9)])
    values, weights = rng.normal(size=14), rng.uniform(0.5, 2, size=14)
    low, high = np.quantile(all_ratios(values, clusters, weights), [0.025, 0.975])
    interval = bootstrap_interval(values, clusters, weights=weights, resamples=40_000)
    assert interval.value == pytest.approx(np.average(values, weights=weights))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.03)
    assert (interval.n, interval.n_clusters) == (14, 5)


def test_clusters_of_one_agree_with_scipy() -> None:
    values = np.random.default_rng(0).exponential(size=60)
    outside = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    interval = bootstrap_interval(values, np.arange(60), resamples=20_000)
    assert (interval.low, interval.high) == pytest.approx((outside.low, outside.high), abs=0.01)


def test_any_statistic_of_means_is_the_mean() -> None:
    rng = np.random.default_rng(2)
    values, clusters = rng.normal(size=200), rng.integers(40, size=200)
    fast = bootstrap_interval(values, clusters)
    slow = bootstrap_statistic(lambda rows: float(values[rows].mean()), clusters)
    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.02)
    assert (slow.n, slow.n_clusters) == (fast.n, fast.n_clusters)


def test_copies_of_an_identity_bring_no_certainty() -> None:
    values = np.random.default_rng(3).normal(size=50)
    once = bootstrap_interval(values, np.arange(50))
    tenfold = bootstrap_interval(np.repeat(values, 10), np.repeat(np.arange(50), 10))
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    held, naive = 0, 0
    for trial in range(300):
        rates = rng.beta(2, 2, size=60)
        clusters = np.repeat(np.arange(60), 6)
        values = (rng.random(360) < rates[clusters]).astype(float)
        interval = bootstrap_interval(values, clusters, resamples=400, seed=trial)
        held += interval.low <= 0.5 <= interval.high
        interval = bootstrap_interval(values, np.arange(360), resamples=400, seed=trial)
        naive += interval.low <= 0.5 <= interval.high
    assert 0.91 <= held / 300 <= 0.98
    assert naive / 300 < 0.88


def test_order_and_names_of_clusters_do_not_matter_and_the_seed_does() -> None:
    rng = np.random.default_rng(5)
    values, clusters = rng.integers(4, size=90).astype(float), rng.integers(20, size=90)
    order = rng.permutation(90)
    names = np.array([f"thing-{19 - code:02}" for code in clusters])
    interval = bootstrap_interval(values, clusters, seed=1)
    assert interval == bootstrap_interval(values[order], names[order], seed=1)
    assert interval != bootstrap_interval(values, clusters, seed=2)


def test_what_is_no_number_counts_nowhere() -> None:
    values = np.array([1.0, np.nan, 0.0, np.nan])
    interval = bootstrap_interval(values, np.array(["a", "a", "b", "c"]))
    assert (interval.value, interval.n, interval.n_clusters) == (0.5, 2, 2)
    weightless = bootstrap_interval(np.array([1.0, 5.0, 0.0]), np.arange(3), weights=np.array([1.0, 0.0, 1.0]))
    assert (weightless.value, weightless.n, weightless.n_clusters) == (0.5, 2, 2)


def test_one_identity_has_a_value_and_no_interval() -> None:
    interval = bootstrap_interval(np.array([1.0, 0.0]), np.array(["a", "a"]))
    assert interval.as_dict() == {
        "value": 0.5,
        "low": None,
        "high": None,
        "n": 2,
        "n_clusters": 1,
        "reason": "one identity: an interval takes two or more",
    }
    assert bootstrap_statistic(lambda rows: float(len(rows)), np.zeros(3)).reason == interval.reason


def test_nothing_has_neither() -> None:
    empty = bootstrap_interval(np.zeros(0), np.zeros(0))
    assert empty.as_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "n_clusters": 0,
        "reason": "nothing to count",
    }
    assert bootstrap_interval(np.full(3, np.nan), np.arange(3)).n == 0
    assert np.isnan(bootstrap_statistic(lambda rows: float(rows.max()), np.zeros(0)).value)


def test_a_statistic_that_mostly_does_not_exist_gets_no_interval() -> None:
    interval = bootstrap_statistic(lambda rows: 1.0 if set(rows.tolist()) >= {0, 1} else float("nan"), np.arange(2))
    assert interval.value == 1
    assert np.isnan(interval.low)
    assert "of 2,000 resamples" in interval.reason


@pytest.mark.parametrize(
    ("values", "clusters", "weights", "message"),
    [
        (np.zeros((2, 2)), np.zeros(2), None, r"must be \(N,\), got \(2, 2\)"),
        (np.zeros(2), np.zeros(3), None, r"got \(2,\), \(3,\)"),
        (np.zeros(2), np.zeros(2), np.array([1.0, -1.0]), "not negative"),
        (np.zeros(2), np.zeros(2), np.array([1.0, np.nan]), "finite"),
    ],
)
def test_wrong_arrays_are_refused(values: Values, clusters: Values, weights: Values | None, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        bootstrap_interval(values, clusters, weights=weights)


def test_other_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="resamples must be at least 1, got 0"):
        bootstrap_interval(np.arange(2.0), np.arange(2), resamples=0)
    with pytest.raises(ShapeError, match=r"clusters must be \(N,\)"):
        bootstrap_statistic(lambda rows: float(len(rows)), np.zeros((2, 2)))
