"""Correlations with the oracle of part-level similarity, each against its formula and against SciPy."""

import math

import metric_oracles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_search.errors import ShapeError
from nearid_search.eval.metrics import fisher_mean, metric_to_oracle, pearson

VALUES = st.lists(st.tuples(*[st.integers(-100, 100).map(lambda n: n / 8)] * 2), min_size=2, max_size=20)


@given(pairs=VALUES, scale=st.sampled_from([1e-160, 1.0, 1e160]))
def test_pearson_agrees_with_its_formula(pairs: list[tuple[float, float]], scale: float) -> None:
    x, y = ([pair[side] for pair in pairs] for side in (0, 1))
    found = pearson(np.array(x) * scale, np.array(y))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(metric_oracles.pearson(x, y), abs=1e-12)
        assert -1 <= found <= 1


def test_pearson_agrees_with_scipy() -> None:
    pearsonr = pytest.importorskip("scipy.stats").pearsonr
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    assert pearson(x, x + y) == pytest.approx(pearsonr(x, x + y).statistic, rel=1e-12)


def test_pearson_of_what_does_not_vary_is_not_a_number() -> None:
    """The mean of three times 0.1 is not 0.1, so deviations alone would tell noise from nothing."""
    assert math.isnan(pearson(np.full(3, 0.1), np.array([1.0, 2.0, 3.0])))
    assert math.isnan(pearson(np.ones(1), np.ones(1)))
    assert math.isnan(pearson(np.ones(0), np.ones(0)))


@given(correlations=st.lists(st.floats(-1, 1), min_size=1, max_size=7))
def test_fisher_mean_agrees_with_its_formula(correlations: list[float]) -> None:
    clipped = [min(max(r, -0.9999), 0.9999) for r in correlations]
    expected = math.tanh(math.fsum(math.atanh(r) for r in clipped) / len(clipped))
    assert fisher_mean(correlations) == pytest.approx(expected, abs=1e-12)


def test_fisher_mean_at_the_ends() -> None:
    assert fisher_mean([1.0, 1.0]) == pytest.approx(0.9999)
    assert fisher_mean([1.0, -1.0]) == 0
    assert math.isnan(fisher_mean([]))
    assert math.isnan(fisher_mean([0.5, math.nan]))
    for wrong in ([1.5], [[0.5]]):
        with pytest.raises(ShapeError, match=r"correlations must be \(N,\) in \[-1, 1\]"):
            fisher_mean(wrong)
    with pytest.raises(ValueError, match="clip must be between 0 and 1, got 1"):
        fisher_mean([0.5], clip=1)


def test_scores_are_paired_with_the_right_oracle() -> None:
    """Each score is its own oracle plus a little, so a wrong pairing would show as no correlation."""
    oracle = np.random.default_rng(1).random((200, 2))
    found = metric_to_oracle(oracle, oracle[:, ::-1], oracle)
    assert found.correlations == pytest.approx((1, 1, 1, 1))
    assert (found.m_o, found.m_o_pair) == pytest.approx((0.9999, 0.9999))
    swapped = metric_to_oracle(oracle, oracle, oracle)
    assert swapped.correlations[:2] == pytest.approx((1, 1))
    assert np.abs(swapped.correlations[2:]).max() < 0.3


def test_agrees_with_the_definition() -> None:
    within, across, oracle = np.random.default_rng(2).random((3, 30, 2))
    within[4, 0] = oracle[7, 1] = across[7, 0] = math.nan
    kept = [row for row in range(30) if row not in (4, 7)]
    found = metric_to_oracle(within, across, oracle)
    pairs = [
        (within[kept, 0], oracle[kept, 0]),
        (within[kept, 1], oracle[kept, 1]),
        (across[kept, 0], oracle[kept, 1]),
        (across[kept, 1], oracle[kept, 0]),
    ]
    expected = [metric_oracles.pearson(x.tolist(), y.tolist()) for x, y in pairs]
    assert found.correlations == pytest.approx(expected)
    assert found.m_o == pytest.approx(math.tanh(sum(map(math.atanh, expected)) / 4))
    assert found.m_o_pair == pytest.approx(math.tanh(sum(map(math.atanh, expected[:2])) / 2))
    assert (found.n_samples, found.n_dropped) == (28, 2)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_have_no_correlation(count: int) -> None:
    found = metric_to_oracle(*np.ones((3, count, 2)))
    assert math.isnan(found.m_o)
    assert math.isnan(found.m_o_pair)
    assert (found.n_samples, found.n_dropped) == (count, 0)


def test_other_arrays_are_refused() -> None:
    table = np.random.default_rng(3).random((4, 2))
    with pytest.raises(ShapeError, match=r"within must be \(4, 2\) float, got \(3, 2\)"):
        metric_to_oracle(table[:3], table, table)
    with pytest.raises(ShapeError, match=r"oracle must be \(4, 2\) float, got \(4, 1\)"):
        metric_to_oracle(table, table, table[:, :1])
    with pytest.raises(ShapeError, match="pair 1 is inf"):
        metric_to_oracle(np.where([[0], [1], [0], [0]], np.inf, table), table, table)
    with pytest.raises(ShapeError, match=r"x and y must both be \(N,\)"):
        pearson(np.ones(2), np.ones(3))
