"""The fit: it never falls, it is about identities left out, and its threshold holds strangers to the asked rate."""

from dataclasses import replace

import numpy as np
import pytest

from nearid_search.calibration import EVIDENCE
from nearid_search.eval.calibration_trials import Trials
from nearid_search.eval.metrics import expected_calibration_error
from nearid_search.eval.verdict_fit import (
    choose_threshold,
    count_verdicts,
    fit_logistic,
    fit_models,
    judge_held_out,
    measure,
)


def make_trials(seed: int, identities: int, views: int = 4) -> Trials:
    """Known things score higher, lead by more and agree more; those with little lead are wrong more often."""
    rng = np.random.default_rng(seed)
    parts = []
    for known, whole in ((True, False), (False, False), (False, True)):
        count = identities * views
        score = rng.normal(0.8 if known else 0.65, 0.08, count)
        margin = np.abs(rng.normal(0.08 if known else 0.03, 0.03, count))
        agreement = rng.integers(1, 4, count) / 3
        right = known & (rng.random(count) < 1 / (1 + np.exp(-60 * (margin - 0.03))))
        parts.append((np.stack([score, margin, agreement], 1), np.full(count, known), right, np.full(count, whole)))
    evidence, known_, right, whole_ = (np.concatenate(each) for each in zip(*parts, strict=True))
    owners = np.tile(np.repeat(np.arange(identities), views), 3)
    nobody = np.zeros(len(known_), bool)
    return Trials(evidence=evidence, known=known_, right=right, whole=whole_, marked=nobody, identities=owners)


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


def test_nothing_is_judged_by_a_model_that_has_seen_its_identity() -> None:
    """Whatever came true of an identity, its own probabilities stay; those of others change."""
    before = judge_held_out(TRIALS, seed=2)
    own = TRIALS.identities == 7
    changed = replace(TRIALS, right=np.where(own, False, TRIALS.right), known=np.where(own, False, TRIALS.known))
    after = judge_held_out(changed, seed=2)
    np.testing.assert_array_equal(before.confidence[own], after.confidence[own])
    assert (before.confidence[~own] != after.confidence[~own]).any()


def test_searches_of_the_whole_gallery_are_not_fitted_on() -> None:
    others = replace(TRIALS, evidence=np.where(TRIALS.whole[:, None], 0.0, TRIALS.evidence))
    assert fit_models(others) == fit_models(TRIALS)


@pytest.mark.parametrize("fpir", [0.01, 0.05, 0.3])
def test_the_threshold_holds_strangers_to_the_rate_and_is_the_lowest_that_does(fpir: float) -> None:
    confidence = judge_held_out(TRIALS, seed=0).confidence
    threshold = choose_threshold(TRIALS, confidence, fpir)
    strangers = confidence[TRIALS.whole]
    assert (strangers >= threshold).mean() <= fpir
    assert threshold == 0.5 or (strangers >= np.nextafter(threshold, 0)).mean() > fpir
    figures = measure(TRIALS, judge_held_out(TRIALS, seed=0), fpir, seed=0, resamples=50)
    found = TRIALS.right & (confidence >= threshold)
    assert figures["fnir"].value == pytest.approx(1 - found[TRIALS.known].mean())
    assert figures["fpir"].value == (strangers >= threshold).mean()
    assert figures["fnir"].low <= figures["fnir"].value <= figures["fnir"].high


def test_held_out_probabilities_are_calibrated_where_the_model_is_true() -> None:
    trials = make_trials(3, 800)
    confidence = judge_held_out(trials, seed=0).confidence
    fitted = ~trials.whole
    assert expected_calibration_error(confidence[fitted], trials.right[fitted]) < 0.03
    shuffled = np.random.default_rng(0).permutation(confidence[fitted])
    assert expected_calibration_error(shuffled, trials.right[fitted]) > 0.1


def test_verdicts_are_counted() -> None:
    held_out = judge_held_out(TRIALS, seed=0)
    shares = count_verdicts(TRIALS, held_out, 0.9)
    assert sum(shares["known"].values()) == pytest.approx(1)
    assert shares["strangers"]["match"] == (held_out.confidence[TRIALS.whole] >= 0.9).mean()
    assert shares["strangers"]["unknown"] > shares["known"]["unknown"]
