"""The fitted model: its arithmetic, what it promises to never do, and what it refuses to be read from."""

import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from calibrations import make_calibration, make_model
from hypothesis import given
from hypothesis import strategies as st

from nearid_search.calibration import EVIDENCE, Calibration, LogisticModel
from nearid_search.errors import ShapeError

NUMBERS = st.floats(-5, 5)
WEIGHTS = st.dictionaries(st.sampled_from(EVIDENCE), st.floats(0, 20))


def model_of(intercept: float, weights: dict[str, float]) -> LogisticModel:
    return LogisticModel(intercept, weights, dict.fromkeys(weights, 0.5), dict.fromkeys(weights, 0.1))


@given(intercept=NUMBERS, weights=WEIGHTS, row=st.tuples(*[st.floats(0, 1)] * 3))
def test_the_probability_is_the_textbook_one(
    intercept: float, weights: dict[str, float], row: tuple[float, float, float]
) -> None:
    model = model_of(intercept, weights)
    log_odds = intercept + sum(weight * (row[EVIDENCE.index(name)] - 0.5) / 0.1 for name, weight in weights.items())
    (found,) = model.probabilities(np.array([row]))
    assert found == pytest.approx(1 / (1 + math.exp(-log_odds)), abs=1e-12)


@given(
    intercept=NUMBERS,
    weights=WEIGHTS,
    row=st.tuples(*[st.floats(0, 1)] * 3),
    rise=st.floats(0, 1),
    name=st.sampled_from(EVIDENCE),
)
def test_more_evidence_never_lowers_a_probability(
    intercept: float, weights: dict[str, float], row: tuple[float, float, float], rise: float, name: str
) -> None:
    model = replace(make_model(), enrolled=model_of(intercept, weights))
    more = list(row)
    more[EVIDENCE.index(name)] += rise
    before, after = (np.array(model.judge(np.array([each]))) for each in (row, more))
    assert (after >= before).all()
    assert (before[1] <= before[0]).all()


def test_one_identity_is_judged_by_its_score_alone() -> None:
    model = make_model()
    enrolled, confidence = model.judge(np.array([[0.8, np.nan, 1.0], [0.8, np.nan, 0.1]]))
    assert enrolled[0] == enrolled[1] == model.enrolled_alone.probabilities(np.array([[0.8, 0, 0]]))[0]
    assert confidence.tolist() == enrolled.tolist()


def test_a_model_is_checked() -> None:
    with pytest.raises(ValueError, match="weights must be at least 0"):
        LogisticModel(0.0, {"score": -1.0}, {"score": 0.0}, {"score": 1.0})
    with pytest.raises(ValueError, match="scales above 0"):
        LogisticModel(0.0, {"score": 1.0}, {"score": 0.0}, {"score": 0.0})
    with pytest.raises(ValueError, match="inputs must be of score, margin, agreement"):
        LogisticModel(0.0, {"colour": 1.0}, {"colour": 0.0}, {"colour": 1.0})
    with pytest.raises(ValueError, match="must be finite"):
        LogisticModel(math.nan)
    with pytest.raises(ShapeError, match=r"evidence must be \(N, 3\), got \(2, 2\)"):
        LogisticModel(0.0).probabilities(np.zeros((2, 2)))


def test_it_comes_back_from_json_as_it_was() -> None:
    calibration = make_calibration()
    assert Calibration.from_document(json.loads(json.dumps(asdict(calibration)))) == calibration


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format_version": 2}, "has format 2, this version reads format 1"),
        ({"colour": "red"}, "describes no calibration"),
        ({"model": {}}, "describes no calibration"),
        ({"model": asdict(make_model()) | {"right": {"intercept": 0.0, "weights": {"score": -1.0}}}}, "describes no"),
    ],
    ids=["format", "further key", "no model", "falling"],
)
def test_another_document_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Calibration.from_document(asdict(make_calibration()) | change)
