"""Paired tests against all sign flips and all possible draws, and how often they raise a false alarm."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.eval.intervals import bootstrap_interval
from nearid_search.eval.paired import paired_difference, paired_statistic


@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed={seed}")
def test_the_paired_test_is_that_of_all_sign_flips(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = np.concatenate([np.arange(8), rng.integers(8, size=20)])
    first, second = rng.integers(3, size=28).astype(float), rng.integers(2, size=28).astype(float)
    sums = np.array([(first - second)[clusters == name].sum() for name in range(8)])
    flipped = [abs((sums * signs).sum()) for signs in product((-1, 1), repeat=8)]
    expected = np.mean([value >= abs(sums.sum()) for value in flipped])
    found = paired_difference(first, second, clusters, resamples=40_000)
    assert found.p_value == pytest.approx(expected, abs=0.01)
    assert found.difference.value == pytest.approx((first - second).mean())
    assert found.difference == bootstrap_interval(first - second, clusters, resamples=40_000)


def test_alike_encoders_do_not_differ_and_unlike_ones_do() -> None:
    values, clusters = np.random.default_rng(6).random(100), np.arange(100)
    same = paired_difference(values, values, clusters)
    assert (same.difference.value, same.p_value) == (0, 1)
    assert paired_difference(values + 1, values, clusters).p_value == pytest.approx(1 / 2_001)


def test_samples_that_one_encoder_lacks_are_dropped_and_counted() -> None:
    first, second = np.array([1.0, np.nan, 1.0, np.nan]), np.array([0.0, 1.0, np.nan, np.nan])
    found = paired_difference(first, second, np.arange(4))
    assert (found.difference.value, found.difference.n, found.n_dropped) == (1, 1, 2)
    assert found.as_dict()["p_value"] is None


def test_false_alarms_are_as_rare_as_the_p_value_says() -> None:
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(300):
        effects = rng.normal(size=40)
        clusters = np.repeat(np.arange(40), 3)
        first, second = (effects[clusters] * sign + rng.normal(size=120) for sign in (1, -1))
        p_values.append(paired_difference(first, second, clusters, resamples=200).p_value)
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.09


def test_samples_of_two_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match="same samples"):
        paired_difference(np.zeros(2), np.zeros(3), np.zeros(2))


@pytest.mark.parametrize("shift", [0.0, 0.6], ids=["alike", "apart"])
def test_the_paired_test_of_a_statistic_is_that_of_all_possible_draws(shift: float) -> None:
    rng = np.random.default_rng(8)
    clusters = np.concatenate([np.arange(5), rng.integers(5, size=10)])
    first, second = rng.normal(shift, size=15), rng.normal(size=15)
    drawn = []
    for names in product(range(5), repeat=5):
        rows = np.concatenate([np.flatnonzero(clusters == name) for name in names])
        drawn.append(np.median(first[rows]) - np.median(second[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    share = min(np.mean(np.array(drawn) <= 0), np.mean(np.array(drawn) >= 0))
    found = paired_statistic(
        lambda rows: float(np.median(first[rows])),
        lambda rows: float(np.median(second[rows])),
        clusters,
        resamples=10_000,
    )
    assert found.difference.value == np.median(first) - np.median(second)
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=0.05)
    assert found.p_value == pytest.approx(min(1, 2 * share), abs=0.02)


def test_a_statistic_that_is_the_same_for_both_has_a_p_value_of_1() -> None:
    values = np.random.default_rng(9).random(20)

    def highest(rows: NDArray[np.int64]) -> float:
        return float(values[rows].max())

    same = paired_statistic(highest, highest, np.arange(20))
    assert (same.difference.value, same.p_value, same.n_dropped) == (0, 1, 0)
    lonely = paired_statistic(highest, lambda rows: -highest(rows), np.zeros(20))
    assert lonely.difference.value == 2 * values.max()
    assert lonely.as_dict()["p_value"] is None
