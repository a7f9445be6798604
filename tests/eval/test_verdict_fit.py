"""The fit: it never falls, and its threshold holds strangers to the asked rate."""

from dataclasses import replace

import numpy as np
import pytest
from made_trials import make_trials

from nearid_search.calibration import EVIDENCE
from nearid_search.eval.verdict_fit import choose_threshold, fit_logistic, fit_models

TRIALS = make_trials(0, 150)


def test_an_input_that_would_lower_the_probability_is_left_out() -> None:
    rng = np.random.default_rng(1)
    evidence = rng.normal(size=(400, 3))
    outcomes = evidence[:, 0] - evidence[:, 1] + 0.3 * rng.normal(size=400) > 0
    model = fit_logistic(evidence, outcomes, EVIDENCE, even=False)
    assert "score" in model.weights
    assert "margin" not in model.weights
    assert fit_logistic(evidence, ~outcomes, ("score",), even=False).weights == {}


def test_if_all_are_right_the_rule_of_succession_is_the_probability() -> None:
    model = fit_logistic(np.zeros((8, 3)), np.ones(8, bool), EVIDENCE, even=False)
    assert model.probabilities(np.zeros((1, 3)))[0] == pytest.approx(9 / 10)


def test_the_two_outcomes_weigh_the_same_if_asked_to() -> None:
    evidence = np.zeros((90, 3))
    evidence[:, 0] = np.linspace(-1, 1, 90)
    outcomes = np.arange(90) % 9 == 0
    model = fit_logistic(evidence, outcomes, ("score",), even=True)
    assert model.probabilities(np.zeros((1, 3)))[0] == pytest.approx(0.5, abs=0.02)


def test_a_constant_input_changes_nothing() -> None:
    trials = replace(TRIALS, evidence=TRIALS.evidence * [1, 1, 0] + [0, 0, 1])
    alone = fit_logistic(trials.evidence[trials.known], trials.right[trials.known], ("score", "margin"), even=False)
    model = fit_models(trials).right
    assert model.probabilities(trials.evidence) == pytest.approx(alone.probabilities(trials.evidence), abs=1e-6)


def test_searches_of_the_whole_gallery_are_not_fitted_on() -> None:
    others = replace(TRIALS, evidence=np.where(TRIALS.whole[:, None], 0.0, TRIALS.evidence))
    assert fit_models(others) == fit_models(TRIALS)


@pytest.mark.parametrize("fpir", [0.01, 0.05, 0.3])
def test_the_threshold_holds_strangers_to_the_rate_and_is_the_lowest_that_does(fpir: float) -> None:
    strangers = fit_models(TRIALS).judge(TRIALS.evidence[TRIALS.whole])[1]
    threshold = choose_threshold(strangers, fpir)
    assert (strangers >= threshold).mean() <= fpir
    assert threshold == 0.5 or (strangers >= np.nextafter(threshold, 0)).mean() > fpir
    assert choose_threshold(strangers, 1.0) == 0.5
