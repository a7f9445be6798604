"""Two probabilities fitted on searches whose answers are known, and the threshold of a match."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.calibration import EVIDENCE, Evidence, LogisticModel, VerdictModel
from nearid_search.eval.calibration_trials import Trials
from nearid_search.eval.metrics import fnir_at_fpir
from nearid_search.verdict import EVEN_ODDS


def fit_models(trials: Trials, *, used: NDArray[np.bool_] | None = None) -> VerdictModel:
    """Fit the two probabilities; the threshold is still the lowest there is.

    Args:
        trials: the searches.
        used: (N,) which of them may be fitted on, None for all; searches of the whole gallery never are.
    """
    used = ~trials.whole if used is None else used & ~trials.whole
    ranked = used & ~np.isnan(trials.evidence[:, EVIDENCE.index("margin")])
    known = ranked & trials.known
    return VerdictModel(
        enrolled=fit_logistic(trials.evidence[ranked], trials.known[ranked], EVIDENCE, even=True),
        enrolled_alone=fit_logistic(trials.evidence[used], trials.known[used], ("score",), even=True),
        right=fit_logistic(trials.evidence[known], trials.right[known], EVIDENCE, even=False),
        threshold=EVEN_ODDS,
    )


def fit_logistic(
    evidence: Evidence, outcomes: NDArray[np.bool_], inputs: tuple[str, ...], *, even: bool
) -> LogisticModel:
    """Fit a probability that no input lowers by rising.

    An input with a negative weight is left out, the most negative first, and the rest is fitted again. If all outcomes
    are the same, the probability is that of the rule of succession, (successes + 1) / (trials + 2).

    Args:
        evidence: (N, 3) float64.
        outcomes: (N,) bool: what came true.
        inputs: names in ``EVIDENCE`` to fit on.
        even: weigh the two outcomes as if they were equally frequent.
    """
    from sklearn.linear_model import LogisticRegression

    happened = int(outcomes.sum())
    if happened in (0, len(outcomes)):
        return LogisticModel(intercept=float(np.log((happened + 1) / (len(outcomes) - happened + 1))))
    while True:
        columns = evidence[:, [EVIDENCE.index(name) for name in inputs]]
        means, spreads = columns.mean(axis=0), columns.std(axis=0)
        scales = np.where(spreads > 0, spreads, 1.0)
        classifier = LogisticRegression(class_weight="balanced" if even else None, max_iter=1_000)
        classifier.fit((columns - means) / scales, outcomes)
        weights = classifier.coef_[0]
        worst = int(np.argmin(weights))
        if weights[worst] >= 0:
            break
        inputs = tuple(name for name in inputs if name != inputs[worst])
        if not inputs:
            return LogisticModel(intercept=float(classifier.intercept_[0]))
    found = (weights, means, scales)
    by_name = [dict(zip(inputs, values.tolist(), strict=True)) for values in found]
    return LogisticModel(float(classifier.intercept_[0]), *by_name)


def choose_threshold(strangers: NDArray[np.float64], fpir: float) -> float:
    """Return the lowest confidence of a match that accepts no more than a share of the strangers.

    Args:
        strangers: (M,) float64: confidence of each; M at least 1.
        fpir: the share.

    Returns:
        At least one half: an answer that is more likely wrong is no match, whatever share of strangers may be.
    """
    point = fnir_at_fpir(np.empty(0), np.empty(0, np.bool_), strangers, fpir)
    return max(EVEN_ODDS, float(np.nextafter(point.threshold, np.inf)))
