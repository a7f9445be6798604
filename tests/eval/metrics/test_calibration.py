"""Calibration error against counting bin by bin, and against two other programs."""

import math

import metric_oracles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_search.errors import ShapeError
from nearid_search.eval.metrics import expected_calibration_error, reliability_curve

# Multiples of 1/8 fall on the edges of 2, 4 and 8 bins.
CASES = st.lists(st.tuples(st.integers(0, 8).map(lambda eighths: eighths / 8), st.booleans()), max_size=20)


@given(cases=CASES, bins=st.sampled_from([1, 2, 3, 4, 8, 15]))
def test_agrees_with_counting(cases: list[tuple[float, bool]], bins: int) -> None:
    probabilities, outcomes = [p for p, _ in cases], [o for _, o in cases]
    found = expected_calibration_error(np.array(probabilities), np.array(outcomes, bool), bins)
    uppers = [number / bins for number in range(1, bins + 1)]
    expected = metric_oracles.expected_calibration_error(probabilities, outcomes, uppers)
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(cases=CASES, bins=st.integers(1, 15))
def test_adaptive_bins_agree_with_counting_in_any_order(cases: list[tuple[float, bool]], bins: int) -> None:
    ordered = sorted(cases)
    ends = [math.ceil(number * len(ordered) / bins) for number in range(1, bins + 1)]
    uppers = sorted({ordered[end - 1][0] for end in ends if end})
    expected = metric_oracles.expected_calibration_error([p for p, _ in cases], [o for _, o in cases], uppers)
    for order in (cases, cases[::-1], ordered):
        arrays = np.array([p for p, _ in order], np.float64), np.array([o for _, o in order], bool)
        found = expected_calibration_error(*arrays, bins, adaptive=True)
        assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_by_hand() -> None:
    """Two cases at 0.8, one of them true: 0.3 too sure; one at 0.1 that is false: 0.1 too sure."""
    found = expected_calibration_error(np.array([0.8, 0.1, 0.8]), np.array([True, False, False]), bins=10)
    assert found == pytest.approx((2 * 0.3 + 0.1) / 3)


def test_adaptive_bins_hold_equal_shares() -> None:
    probabilities = np.random.default_rng(0).random(60) ** 4
    curve = reliability_curve(probabilities, probabilities > 0.5, bins=6, adaptive=True)
    assert curve.counts.tolist() == [10] * 6
    assert (np.diff(curve.mean_probability) > 0).all()


def test_agrees_with_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(1)
    probabilities = rng.random(500).astype(np.float32)
    outcomes = rng.random(500) < probabilities**2
    theirs = classification.binary_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(outcomes), n_bins=15
    )
    assert expected_calibration_error(probabilities, outcomes) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("eighths", [True, False], ids=["on the edges", "anywhere"])
def test_curve_agrees_with_scikit_learn(eighths: bool) -> None:
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    rng = np.random.default_rng(2)
    probabilities = rng.integers(0, 9, 300) / 8 if eighths else rng.random(300)
    outcomes = rng.random(300) < probabilities
    share_true, mean_probability = calibration_curve(outcomes, probabilities, n_bins=8)
    ours = reliability_curve(probabilities, outcomes, bins=8)
    np.testing.assert_allclose(ours.share_true, share_true)
    np.testing.assert_allclose(ours.mean_probability, mean_probability)


@pytest.mark.parametrize("adaptive", [True, False])
def test_without_cases_there_is_no_figure(adaptive: bool) -> None:
    none = np.zeros(0), np.zeros(0, bool)
    assert math.isnan(expected_calibration_error(*none, adaptive=adaptive))
    assert len(reliability_curve(*none, adaptive=adaptive).counts) == 0


def test_other_input_is_refused() -> None:
    one = np.ones(1, bool)
    for probability in (1.5, -0.1, math.nan):
        with pytest.raises(ShapeError, match=r"must be in \[0, 1\]: row 0 is"):
            expected_calibration_error(np.array([probability]), one)
    with pytest.raises(ShapeError, match=r"probabilities must be \(N,\) float"):
        expected_calibration_error(np.ones(1, np.int64), one)
    with pytest.raises(ShapeError, match=r"outcomes must be \(1,\) bool"):
        expected_calibration_error(np.ones(1), np.ones(2, bool))
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        expected_calibration_error(np.ones(1), one, 0)
