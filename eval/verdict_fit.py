"""Two probabilities fitted on searches whose answers are known, and what they do on identities left out of the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.calibration import EVIDENCE, Evidence, LogisticModel, VerdictModel
from nearid_search.eval.calibration_trials import Trials
from nearid_search.eval.intervals import RESAMPLES, Interval, bootstrap_interval, bootstrap_statistic
from nearid_search.eval.metrics import expected_calibration_error, fnir_at_fpir
from nearid_search.verdict import EVEN_ODDS, verdict_of

FOLDS = 5
"""Parts into which the identities are divided; each is left out of the fit once."""

_VERDICTS = ("match", "ambiguous", "unknown")


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """What models said of trials whose identities they were not fitted on; all (N,) float64.

    Attributes:
        enrolled: probability that the thing is in the gallery.
        confidence: probability that the best identity is right.
    """

    enrolled: NDArray[np.float64]
    confidence: NDArray[np.float64]


def judge_held_out(trials: Trials, *, seed: int, folds: int = FOLDS) -> HeldOut:
    """Judge every trial by models fitted on the other identities.

    Args:
        trials: the searches.
        seed: of the parts.
        folds: into how many parts the identities are divided; each is left out once.
    """
    names, codes = np.unique(trials.identities, return_inverse=True)
    part_of = np.random.default_rng(seed).permutation(len(names)) % folds
    enrolled, confidence = np.empty(len(codes)), np.empty(len(codes))
    for part in range(folds):
        out = part_of[codes] == part
        enrolled[out], confidence[out] = fit_models(trials, used=~out).judge(trials.evidence[out])
    return HeldOut(enrolled=enrolled, confidence=confidence)


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


def choose_threshold(trials: Trials, confidence: NDArray[np.float64], fpir: float) -> float:
    """Return the lowest confidence of a match that accepts no more than a share of the strangers.

    Args:
        trials: the searches.
        confidence: (N,) float64 of each.
        fpir: the share.

    Returns:
        At least one half: an answer that is more likely wrong is no match, whatever share of strangers may be.
    """
    point = fnir_at_fpir(confidence[trials.known], trials.right[trials.known], confidence[trials.whole], fpir)
    return max(EVEN_ODDS, float(np.nextafter(point.threshold, np.inf)))


def measure(
    trials: Trials, held_out: HeldOut, fpir: float, *, seed: int, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Return FNIR, FPIR, false matches of known things, and the expected calibration error.

    Args:
        trials: the searches.
        held_out: what was said of them.
        fpir: share of strangers that may be accepted.
        seed: of the intervals.
        resamples: of each interval.

    Returns:
        By name, with intervals that resample identities. In each resample the threshold of ``fnir`` is set anew, so its
        interval knows how uncertain the threshold is; the others are at the threshold of all trials.
    """
    confidence = held_out.confidence
    sampling: dict[str, Any] = {"resamples": resamples, "seed": seed}
    accepted = (confidence >= choose_threshold(trials, confidence, fpir)).astype(np.float64)
    known, strangers = trials.known, trials.whole
    fnir = bootstrap_statistic(partial(_fnir, trials, confidence, fpir), trials.identities, **sampling)
    even = even_rows(trials, seed=seed)
    ece = bootstrap_statistic(
        lambda rows: expected_calibration_error(confidence[even[rows]], trials.right[even[rows]]),
        trials.identities[even],
        **sampling,
    )
    wrong = accepted[known] * ~trials.right[known]
    return {
        "fnir": replace(fnir, n=int(known.sum())),
        "fpir": bootstrap_interval(accepted[strangers], trials.identities[strangers], **sampling),
        "false_match": bootstrap_interval(wrong, trials.identities[known], **sampling),
        "ece": ece,
    }


def count_verdicts(trials: Trials, held_out: HeldOut, threshold: float) -> dict[str, dict[str, float]]:
    """Return the share of each verdict among known things and among strangers."""
    pairs = zip(held_out.enrolled.tolist(), held_out.confidence.tolist(), strict=True)
    given = np.asarray([verdict_of(enrolled, confidence, threshold) for enrolled, confidence in pairs])
    groups = {"known": trials.known, "strangers": trials.whole}
    return {
        group: {verdict: float((given[rows] == verdict).mean()) for verdict in _VERDICTS}
        for group, rows in groups.items()
    }


def _fnir(trials: Trials, confidence: NDArray[np.float64], fpir: float, rows: NDArray[np.int64]) -> float:
    known, strangers = rows[trials.known[rows]], rows[trials.whole[rows]]
    if not len(known) or not len(strangers):
        return float("nan")
    point = fnir_at_fpir(confidence[known], trials.right[known], confidence[strangers], fpir)
    found = trials.right[known] & (confidence[known] > point.threshold) & (confidence[known] >= EVEN_ODDS)
    return 1 - float(found.mean())


def even_rows(trials: Trials, *, seed: int) -> NDArray[np.int64]:
    """Return as many known things as strangers in the same gallery, chosen at random where there are more.

    These are the odds that the confidence is for.
    """
    known, strangers = np.flatnonzero(trials.known), np.flatnonzero(~trials.known & ~trials.whole)
    count = min(len(known), len(strangers))
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate([rng.choice(rows, count, replace=False) for rows in (known, strangers)]))
