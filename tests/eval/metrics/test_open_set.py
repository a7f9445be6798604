"""Open-set figures against trying every threshold, and against scikit-learn's curves."""

import math

import metric_oracles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.eval.metrics import det_curve, dir_at_far, fnir_at_fpir, roc_curve, tar_at_far

Scores = NDArray[np.float64]
# Few values: most scores tie, with each other and across the two groups; no hit at all is -inf.
SCORES = st.lists(st.sampled_from([-math.inf, -0.5, -0.25, 0.0, 0.25, 0.5]), max_size=12)
RATES = st.sampled_from([0.001, 0.1, 0.29, 1 / 3, 0.5, 1.0])


@given(
    genuine=st.lists(st.tuples(st.sampled_from([-0.5, 0.0, 0.5]), st.booleans()), max_size=9),
    impostors=SCORES,
    rate=RATES,
)
def test_agrees_with_trying_every_threshold(
    genuine: list[tuple[float, bool]], impostors: list[float], rate: float
) -> None:
    scores, correct = [score for score, _ in genuine], [right for _, right in genuine]
    arrays = np.array(scores, np.float64), np.array(correct, bool), np.array(impostors, np.float64)
    missed, found = fnir_at_fpir(*arrays, rate), dir_at_far(*arrays, rate)
    assert (missed.n_genuine, missed.n_impostors) == (len(scores), len(impostors))
    if not impostors:
        assert all(math.isnan(value) for value in (missed.value, found.value, missed.threshold, missed.achieved))
        assert not missed.resolvable
        return
    threshold = metric_oracles.threshold_at(impostors, rate)
    expected = metric_oracles.fnir(scores, correct, threshold)
    assert missed.threshold == found.threshold == threshold
    assert missed.achieved == metric_oracles.share_above(impostors, threshold) <= rate
    assert missed.value == expected or (math.isnan(missed.value) and not scores)
    assert found.value == pytest.approx(1 - expected, nan_ok=True)
    verified = tar_at_far(arrays[0], arrays[2], rate).value
    assert verified == pytest.approx(metric_oracles.share_above(scores, threshold), nan_ok=True)


def test_by_hand() -> None:
    """One of four impostors may pass, so the second highest is the threshold; a score equal to it is rejected."""
    impostors = np.array([0.1, 0.6, 0.4, 0.2])
    found = fnir_at_fpir(np.array([0.9, 0.4, 0.7, 0.5]), np.array([True, True, False, True]), impostors, 0.25)
    assert (found.value, found.threshold, found.achieved, found.resolution) == (0.5, 0.4, 0.25, 0.25)
    assert found.resolvable
    assert found.note == ""


def test_impostors_that_tie_are_all_kept_out() -> None:
    found = tar_at_far(np.array([0.5, 0.6]), np.array([0.5, 0.5, 0.5, 0.1]), 0.5)
    assert (found.value, found.threshold, found.achieved) == (0.5, 0.5, 0.0)


def test_a_rate_is_not_lost_to_rounding() -> None:
    """0.29 * 100 is just below 29 in binary."""
    assert tar_at_far(np.zeros(1), np.arange(100.0), 0.29).achieved == 0.29


def test_a_rate_too_small_for_the_impostors_is_marked() -> None:
    found = fnir_at_fpir(np.array([0.9]), np.array([True]), np.linspace(0, 0.5, 500), 0.001)
    assert not found.resolvable
    assert (found.value, found.achieved, found.threshold, found.resolution) == (0.0, 0.0, 0.5, 0.002)
    assert found.note == (
        "500 impostors cannot show a rate of 0.001: it takes 1,000 or more; measured with none accepted"
    )
    assert fnir_at_fpir(np.array([0.9]), np.array([True]), np.linspace(0, 0.5, 1000), 0.001).resolvable
    assert "without impostors" in fnir_at_fpir(np.array([0.9]), np.array([True]), np.zeros(0), 0.001).note


@pytest.mark.parametrize("decimals", [1, 9], ids=["ties", "distinct"])
def test_curves_agree_with_scikit_learn(decimals: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(0.3, 0.5, 80).round(decimals), rng.normal(0, 0.5, 120).round(decimals)
    truth, scores = np.repeat([1, 0], [80, 120]), np.concatenate([genuine, impostor])
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    ours = roc_curve(genuine, impostor)
    np.testing.assert_allclose(ours.false_positive_rate, false)
    np.testing.assert_allclose(ours.true_positive_rate, true)
    area = np.trapezoid(ours.true_positive_rate, ours.false_positive_rate)
    assert area == pytest.approx(metrics.roc_auc_score(truth, scores))
    for rate in (0.01, 0.05, 0.3, 1.0):
        assert tar_at_far(genuine, impostor, rate).value == pytest.approx(true[false <= rate].max())
    their_false, their_missed, _ = metrics.det_curve(truth, scores)
    det = det_curve(genuine, impostor)
    points = set(zip(det.false_positive_rate.round(9), det.false_negative_rate.round(9), strict=True))
    assert set(zip(their_false.round(9), their_missed.round(9), strict=True)) <= points


@pytest.mark.parametrize("decimals", [1, 9], ids=["ties", "distinct"])
def test_identification_agrees_with_scikit_learn(decimals: int) -> None:
    """To a curve of scores alone, a wrong first identity is one that no threshold accepts."""
    curve = pytest.importorskip("sklearn.metrics").roc_curve
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(0.3, 0.5, 80).round(decimals), rng.normal(0, 0.5, 120).round(decimals)
    correct = rng.random(80) < 0.7
    scores = np.concatenate([np.where(correct, genuine, -9), impostor])
    false, true, _ = curve(np.repeat([1, 0], [80, 120]), scores, drop_intermediate=False)
    for rate in (0.01, 0.05, 0.3, 0.9):
        found = true[false <= rate].max()
        assert dir_at_far(genuine, correct, impostor, rate).value == pytest.approx(found)
        assert fnir_at_fpir(genuine, correct, impostor, rate).value == pytest.approx(1 - found)


@given(genuine=SCORES, impostors=SCORES)
def test_every_point_of_a_curve_is_what_its_threshold_accepts(genuine: list[float], impostors: list[float]) -> None:
    correct = [number % 3 > 0 for number in range(len(genuine))]
    found = det_curve(np.array(genuine), np.array(impostors), correct=np.array(correct, bool))
    assert found.thresholds[-1] == -math.inf
    for threshold, false, missed in zip(
        found.thresholds, found.false_positive_rate, found.false_negative_rate, strict=True
    ):
        assert false == pytest.approx(metric_oracles.share_above(impostors, threshold), nan_ok=True)
        assert missed == pytest.approx(metric_oracles.fnir(genuine, correct, threshold), nan_ok=True)


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, math.nan])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \(0, 1\], got"):
        tar_at_far(np.zeros(1), np.zeros(1), rate)


@pytest.mark.parametrize(
    ("genuine", "correct", "impostor", "message"),
    [
        (np.array([0.1, math.nan]), np.ones(2, bool), np.zeros(1), "genuine scores must be numbers: row 1 is NaN"),
        (np.zeros(2), np.ones(2, bool), np.array([math.nan]), "impostor scores must be numbers: row 0"),
        (np.zeros((2, 1)), np.ones((2, 1), bool), np.zeros(1), "genuine scores must be one-dimensional float"),
        (np.zeros(2), np.ones(3, bool), np.zeros(1), r"genuine_correct must be \(2,\) bool"),
        (np.zeros(2), np.ones(2), np.zeros(1), "genuine_correct must be .* float64"),
    ],
)
def test_other_arrays_are_refused(genuine: Scores, correct: NDArray[np.bool_], impostor: Scores, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        fnir_at_fpir(genuine, correct, impostor, 0.1)
