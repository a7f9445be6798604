"""From probabilities to words, and what answers are judged by."""

import numpy as np
import pytest
from calibrations import make_model

from nearid_search.ranking import RankedIdentity
from nearid_search.verdict import Judge, evidence_of, verdict_of


def ranked(*scores: tuple[float, ...]) -> list[RankedIdentity]:
    """Identities 0, 1 and so on with the scores of their supporting views."""
    return [RankedIdentity(code, np.arange(len(own)), np.array(own, np.float32)) for code, own in enumerate(scores)]


@pytest.mark.parametrize(
    ("enrolled", "confidence", "threshold", "verdict"),
    [
        (0.99, 0.9, 0.9, "match"),
        (0.99, 0.89, 0.9, "ambiguous"),  # it is there; which one it is, is not sure
        (0.5, 0.1, 0.9, "ambiguous"),
        (0.49, 0.49, 0.9, "unknown"),
        (0.49, 0.49, 0.1, "unknown"),  # a match is never more likely wrong than right
        (0.6, 0.5, 0.1, "match"),
        (1.0, 1.0, 1.5, "ambiguous"),
    ],
)
def test_the_rule(enrolled: float, confidence: float, threshold: float, verdict: str) -> None:
    assert verdict_of(enrolled, confidence, threshold) == verdict


def test_evidence_is_score_lead_and_agreement() -> None:
    evidence = evidence_of([ranked((0.75, 0.5), (0.25,)), ranked((0.5,))], [4, 3])
    np.testing.assert_array_equal(evidence, [[0.75, 0.5, 0.5], [0.5, np.nan, 1 / 3]])
    assert evidence_of([], []).shape == (0, 3)


def test_answers_are_judged_in_order_and_nothing_found_is_unknown() -> None:
    model = make_model(threshold=0.9)
    answers = [ranked((1.0,), (0.5,)), [], ranked((1.0,), (0.99,)), ranked((0.1,), (0.09,)), ranked((1.0,))]
    judged = Judge(model, current=True).judge(answers, [1, 0, 1, 1, 1])
    assert [each.verdict for each in judged] == ["match", "unknown", "ambiguous", "unknown", "match"]
    assert judged[1].confidence is None
    expected = model.judge(evidence_of([answers[0], answers[2]], [1, 1]))[1]
    assert [judged[0].confidence, judged[2].confidence] == expected.tolist()


def test_an_outgrown_calibration_gives_verdicts_and_no_probability() -> None:
    judge = Judge(make_model(), current=False)
    assert judge.judge([ranked((1.0,), (0.5,))], [1]) == [("match", None)]
    assert not judge.calibrated


def test_without_a_calibration_the_rule_is_provisional() -> None:
    answers = [ranked((0.9,), (0.8,)), ranked((0.9,), (0.89,)), ranked((0.4,)), ranked((0.6,)), []]
    verdicts = [each.verdict for each in Judge().judge(answers, [1] * 5)]
    assert verdicts == ["match", "ambiguous", "unknown", "match", "unknown"]
    assert not Judge().calibrated
