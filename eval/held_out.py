"""What a verdict does on identities that were left out of its fit, and out of the choice of its threshold.

Among the strangers that a threshold was chosen on it keeps the asked rate, whatever it does among others. So
cross-fitting is nested: for every part of the identities the threshold is set by the others, as judged by models that
know neither the part nor the identity they judge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.calibration_trials import Trials
from nearid_search.eval.intervals import RESAMPLES, Interval, bootstrap_interval, bootstrap_statistic
from nearid_search.eval.metrics import expected_calibration_error
from nearid_search.eval.verdict_fit import choose_threshold, fit_models
from nearid_search.verdict import verdict_of

FOLDS = 5
"""Parts into which the identities are divided; each is left out of the fit once."""

_VERDICTS = ("match", "ambiguous", "unknown")


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """What models said of N trials whose identities they were not fitted on.

    Attributes:
        parts: (N,) int64: which part of the identities each belongs to, from 0.
        enrolled: (N,) float64: probability that the thing is in the gallery.
        confidence: (N,) float64: probability that the best identity is right.
        without: (P, N) float64: the confidence if part p is left out, too; in that part itself it is ``confidence``.
    """

    parts: NDArray[np.int64]
    enrolled: NDArray[np.float64]
    confidence: NDArray[np.float64]
    without: NDArray[np.float64]


def judge_held_out(trials: Trials, *, seed: int, folds: int = FOLDS) -> HeldOut:
    """Judge every trial by models fitted on other identities.

    Args:
        trials: the searches.
        seed: of the parts.
        folds: into how many parts the identities are divided, at least 3.
    """
    names, codes = np.unique(trials.identities, return_inverse=True)
    parts = (np.random.default_rng(seed).permutation(len(names)) % folds)[codes]
    enrolled, without = np.empty(len(codes)), np.empty((folds, len(codes)))
    for first in range(folds):
        out = parts == first
        enrolled[out], without[first, out] = fit_models(trials, used=~out).judge(trials.evidence[out])
        for second in range(first):
            both = out | (parts == second)
            _, confidence = fit_models(trials, used=~both).judge(trials.evidence[both])
            without[second, out], without[first, parts == second] = confidence[out[both]], confidence[~out[both]]
    return HeldOut(parts=parts, enrolled=enrolled, confidence=without[parts, np.arange(len(codes))], without=without)


def thresholds_by_part(
    trials: Trials, held_out: HeldOut, fpir: float, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return the threshold of each part, set by the strangers of the others, (P,) float64; NaN where there is none.

    Args:
        trials: the searches.
        held_out: what was said of them.
        fpir: share of strangers that may be accepted.
        rows: (R,) which trials there are, with repeats; None for all.
    """
    strangers = np.flatnonzero(trials.whole) if rows is None else rows[trials.whole[rows]]
    others = [strangers[held_out.parts[strangers] != part] for part in range(len(held_out.without))]
    thresholds = [
        choose_threshold(said[own], fpir) if len(own) else np.nan
        for said, own in zip(held_out.without, others, strict=True)
    ]
    return np.asarray(thresholds)


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
        By name, with intervals that resample identities. The rates are at the thresholds of ``thresholds_by_part``. For
        ``fnir`` these are set anew in each resample, so its interval knows how uncertain a threshold is. For the others
        they stay: set anew they would hold the rate of every resample close to the asked one.
    """
    confidence, known, strangers = held_out.confidence, trials.known, trials.whole
    sampling: dict[str, Any] = {"resamples": resamples, "seed": seed}
    accepted = (confidence >= thresholds_by_part(trials, held_out, fpir)[held_out.parts]).astype(np.float64)
    wrong = accepted[known] * ~trials.right[known]
    fnir = bootstrap_statistic(partial(_fnir, trials, held_out, fpir), trials.identities, **sampling)
    even = even_rows(trials, seed=seed)
    ece = bootstrap_statistic(
        lambda rows: expected_calibration_error(confidence[even[rows]], trials.right[even[rows]]),
        trials.identities[even],
        **sampling,
    )
    return {
        "fnir": replace(fnir, n=int(known.sum())),
        "fpir": bootstrap_interval(accepted[strangers], trials.identities[strangers], **sampling),
        "false_match": bootstrap_interval(wrong, trials.identities[known], **sampling),
        "ece": ece,
    }


def _fnir(trials: Trials, held_out: HeldOut, fpir: float, rows: NDArray[np.int64]) -> float:
    known, thresholds = rows[trials.known[rows]], thresholds_by_part(trials, held_out, fpir, rows)
    if not len(known) or np.isnan(thresholds).any():
        return float("nan")
    found = trials.right[known] & (held_out.confidence[known] >= thresholds[held_out.parts[known]])
    return 1 - float(found.mean())


def count_verdicts(trials: Trials, held_out: HeldOut, fpir: float) -> dict[str, dict[str, float]]:
    """Return the share of each verdict among known things and among strangers, at ``thresholds_by_part``."""
    thresholds = thresholds_by_part(trials, held_out, fpir)[held_out.parts]
    said = zip(held_out.enrolled.tolist(), held_out.confidence.tolist(), thresholds.tolist(), strict=True)
    given = np.asarray([verdict_of(enrolled, confidence, threshold) for enrolled, confidence, threshold in said])
    groups = {"known": trials.known, "strangers": trials.whole}
    return {
        group: {verdict: float((given[rows] == verdict).mean()) for verdict in _VERDICTS}
        for group, rows in groups.items()
    }


def even_rows(trials: Trials, *, seed: int) -> NDArray[np.int64]:
    """Return as many known things as strangers in the same gallery, chosen at random where there are more.

    These are the odds that the confidence is for.
    """
    known, strangers = np.flatnonzero(trials.known), np.flatnonzero(~trials.known & ~trials.whole)
    count = min(len(known), len(strangers))
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate([rng.choice(rows, count, replace=False) for rows in (known, strangers)]))
