"""Cross-fitting is nested: neither the models nor the threshold that judge an identity have seen it."""

from dataclasses import replace

import numpy as np
import pytest
from made_trials import make_trials

from nearid_search.eval.held_out import count_verdicts, judge_held_out, measure, thresholds_by_part
from nearid_search.eval.metrics import expected_calibration_error
from nearid_search.eval.verdict_fit import fit_models

TRIALS = make_trials(0, 150)
HELD_OUT = judge_held_out(TRIALS, seed=0)


def test_nothing_is_judged_by_a_model_that_has_seen_its_identity() -> None:
    """Whatever came true of an identity, its own probabilities stay; those of others change."""
    before = judge_held_out(TRIALS, seed=2)
    own = TRIALS.identities == 7
    changed = replace(TRIALS, right=np.where(own, False, TRIALS.right), known=np.where(own, False, TRIALS.known))
    after = judge_held_out(changed, seed=2)
    np.testing.assert_array_equal(before.confidence[own], after.confidence[own])
    assert (before.confidence[~own] != after.confidence[~own]).any()


def test_held_out_probabilities_are_calibrated_where_the_model_is_true() -> None:
    trials = make_trials(3, 800)
    confidence = judge_held_out(trials, seed=0).confidence
    fitted = ~trials.whole
    assert expected_calibration_error(confidence[fitted], trials.right[fitted]) < 0.03
    shuffled = np.random.default_rng(0).permutation(confidence[fitted])
    assert expected_calibration_error(shuffled, trials.right[fitted]) > 0.1


@pytest.mark.parametrize("fpir", [0.01, 0.05, 0.3])
def test_rates_are_those_of_parts_that_were_left_out_of_fit_and_threshold(fpir: float) -> None:
    accepted = np.zeros(len(TRIALS.known), bool)
    for part in range(5):
        own = HELD_OUT.parts == part
        strangers = []
        for other in range(5):
            if other != part:
                neither = ~np.isin(HELD_OUT.parts, [part, other])
                asked = (HELD_OUT.parts == other) & TRIALS.whole
                strangers += fit_models(TRIALS, used=neither).judge(TRIALS.evidence[asked])[1].tolist()
        candidates = [0.5, *(np.nextafter(each, 1) for each in strangers if each > 0.5)]
        threshold = min(each for each in candidates if np.mean(np.asarray(strangers) >= each) <= fpir)
        assert thresholds_by_part(TRIALS, HELD_OUT, fpir)[part] == pytest.approx(threshold, rel=1e-12)
        accepted[own] = fit_models(TRIALS, used=~own).judge(TRIALS.evidence[own])[1] >= threshold
    figures = measure(TRIALS, HELD_OUT, fpir, seed=0, resamples=50)
    assert figures["fnir"].value == pytest.approx(1 - (accepted & TRIALS.right)[TRIALS.known].mean())
    assert figures["fpir"].value == pytest.approx(accepted[TRIALS.whole].mean())
    assert figures["false_match"].value == pytest.approx((accepted & ~TRIALS.right)[TRIALS.known].mean())
    for name in ("fnir", "fpir", "false_match"):
        assert figures[name].low <= figures[name].value <= figures[name].high
        assert figures[name].n == 600
    shares = count_verdicts(TRIALS, HELD_OUT, fpir)
    assert sum(shares["known"].values()) == pytest.approx(1)
    assert shares["strangers"]["match"] == pytest.approx(figures["fpir"].value)
    assert shares["strangers"]["unknown"] > shares["known"]["unknown"]


def test_no_stranger_sets_the_threshold_that_judges_it() -> None:
    """Where one identity's strangers look like known things, the thresholds of other parts rise and theirs stays."""
    seen = (TRIALS.identities == 7) & TRIALS.whole
    changed = replace(TRIALS, evidence=np.where(seen[:, None], [1.0, 0.3, 1.0], TRIALS.evidence))
    before, after = (thresholds_by_part(each, judge_held_out(each, seed=0), 0.01) for each in (TRIALS, changed))
    own = int(HELD_OUT.parts[seen][0])
    assert before[own] == after[own]
    assert (np.delete(after, own) > np.delete(before, own)).all()
