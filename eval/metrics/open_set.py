"""Open-set identification and verification: what is still found once strangers are kept out.

One rule throughout: a score strictly above the threshold is accepted, so a tie is rejected on both sides, and the
threshold is the smallest at which no more than the asked share of impostors is accepted. It can only be an impostor's
score; where impostors tie at it, none of them is accepted and the achieved rate is below the asked one.

Terms as in ISO/IEC 19795-1 (biometric performance testing), whose own rule, that scores equal to the threshold are
accepted, gives the same points under other thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError

Scores = NDArray[np.floating]
Rates = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A rate over genuine queries at the threshold that holds impostors to an asked rate.

    Attributes:
        value: the figure asked for, in [0, 1]; NaN without genuine queries or without impostors.
        threshold: scores strictly above it are accepted; -inf if all may be; NaN without impostors.
        asked: share of impostors that may be accepted.
        achieved: share of impostors that is accepted, at most ``asked``; NaN without impostors.
        n_genuine: genuine queries.
        n_impostors: impostors.
    """

    value: float
    threshold: float
    asked: float
    achieved: float
    n_genuine: int
    n_impostors: int

    @property
    def resolution(self) -> float:
        """Smallest share of impostors above 0 that can be told: 1 / n; infinite without impostors."""
        return 1 / self.n_impostors if self.n_impostors else float("inf")

    @property
    def resolvable(self) -> bool:
        """Whether the asked rate allows at least one impostor; else the figure stands at 0, and reports give none."""
        return self.resolution <= self.asked

    @property
    def note(self) -> str:
        """What to say beside the figure; empty if it means what it says."""
        if self.resolvable or not self.n_impostors:
            return unresolved(self.n_impostors, self.asked)
        return f"{unresolved(self.n_impostors, self.asked)}; measured with none accepted"


@dataclass(frozen=True, kw_only=True, eq=False)
class RocCurve:
    """What each threshold accepts, from the strictest to none; all (T,) float64.

    Attributes:
        thresholds: every distinct score, descending, then -inf; scores strictly above are accepted.
        false_positive_rate: share of impostors accepted, ascending from 0.
        true_positive_rate: share of genuine queries accepted (and correct, if that was asked), ascending from 0.
    """

    thresholds: Rates
    false_positive_rate: Rates
    true_positive_rate: Rates


@dataclass(frozen=True, kw_only=True, eq=False)
class DetCurve:
    """Both errors at each threshold, from the strictest to none; all (T,) float64.

    Attributes:
        thresholds: every distinct score, descending, then -inf; scores strictly above are accepted.
        false_positive_rate: share of impostors accepted, ascending from 0.
        false_negative_rate: share of genuine queries not accepted (or not correct, if that was asked), descending.
    """

    thresholds: Rates
    false_positive_rate: Rates
    false_negative_rate: Rates


def unresolved(n_impostors: int, rate: float) -> str:
    """Say why impostors are too few to show a rate: it allows not even one of them.

    Args:
        n_impostors: how many there are.
        rate: share of them that may be accepted, in (0, 1].

    Returns:
        The reason; empty if they are enough.

    Example:
        >>> unresolved(500, 0.001)
        '500 impostors cannot show a rate of 0.001: it takes 1,000 or more'
    """
    if not n_impostors:
        return f"a rate of {rate:g} cannot be set without impostors"
    if allowed_impostors(n_impostors, rate):
        return ""
    return f"{n_impostors:,} impostors cannot show a rate of {rate:g}: it takes {np.ceil(1 / rate):,.0f} or more"


def allowed_impostors(n_impostors: int, rate: float) -> int:
    """Return the most impostors that may be accepted: the largest count whose share is at most ``rate``.

    Args:
        n_impostors: how many there are.
        rate: in (0, 1].

    Example:
        >>> allowed_impostors(100, 0.29), int(100 * 0.29)
        (29, 28)
    """
    # Counted as the achieved rate is, as a product is rounded.
    count = min(n_impostors, int(rate * n_impostors) + 1)
    while count and count / n_impostors > rate:
        count -= 1
    return count


def fnir_at_fpir(
    genuine_scores: Scores, genuine_correct: NDArray[np.bool_], impostor_scores: Scores, fpir: float
) -> OperatingPoint:
    """Return the false-negative identification rate at a false-positive identification rate.

    A genuine query is missed if its first identity is not its own or does not score above the threshold: FNIR at
    rank 1 (ISO/IEC 19795-1). The rival, rank-L FNIR, forgives a wrong first identity if the own one is among the first
    L.

    Args:
        genuine_scores: (N,) float: score of the first identity for queries whose identity is in the gallery.
        genuine_correct: (N,) bool: whether that identity is the query's own.
        impostor_scores: (M,) float: score of the first identity for queries whose identity is not in the gallery.
        fpir: share of impostors that may be accepted, in (0, 1].

    Returns:
        FNIR with its threshold; see ``OperatingPoint`` for the empty cases and rates too small to resolve.

    Raises:
        ShapeError: if an array is not as described or holds NaN.
        ValueError: if ``fpir`` is outside (0, 1].

    Example:
        >>> found = fnir_at_fpir(np.array([0.9, 0.8, 0.3]), np.array([True, False, True]), np.array([0.2, 0.5]), 0.5)
        >>> round(found.value, 4), found.threshold, found.achieved
        (0.3333, 0.2, 0.5)
    """
    return _at_rate(genuine_scores, genuine_correct, impostor_scores, fpir, missed=True)


def dir_at_far(
    genuine_scores: Scores, genuine_correct: NDArray[np.bool_], impostor_scores: Scores, far: float
) -> OperatingPoint:
    """Return the detection and identification rate at rank 1 at a false-alarm rate.

    The share of genuine queries whose first identity is their own *and* scores above the threshold (Phillips et al.,
    *Handbook of Face Recognition*, chapter 14); ``1 - FNIR`` at the same rate. The closed-set rival, rank-1, has no
    threshold.

    Args:
        genuine_scores: (N,) float: score of the first identity for queries whose identity is in the gallery.
        genuine_correct: (N,) bool: whether that identity is the query's own.
        impostor_scores: (M,) float: score of the first identity for queries whose identity is not in the gallery.
        far: share of impostors that may be accepted, in (0, 1].

    Returns:
        The rate with its threshold; see ``OperatingPoint`` for the empty cases and rates too small to resolve.

    Raises:
        ShapeError: if an array is not as described or holds NaN.
        ValueError: if ``far`` is outside (0, 1].
    """
    return _at_rate(genuine_scores, genuine_correct, impostor_scores, far, missed=False)


def tar_at_far(genuine: Scores, impostor: Scores, far: float) -> OperatingPoint:
    """Return the true-accept rate at a false-accept rate: verification of one claimed identity.

    Args:
        genuine: (N,) float: scores of pairs of one identity.
        impostor: (M,) float: scores of pairs of different identities.
        far: share of impostor pairs that may be accepted, in (0, 1].

    Returns:
        The rate with its threshold; see ``OperatingPoint`` for the empty cases and rates too small to resolve.

    Raises:
        ShapeError: if an array is not as described or holds NaN.
        ValueError: if ``far`` is outside (0, 1].
    """
    return _at_rate(genuine, np.ones(np.shape(genuine), bool), impostor, far, missed=False)


def roc_curve(genuine: Scores, impostor: Scores, *, correct: NDArray[np.bool_] | None = None) -> RocCurve:
    """Return the rates at every threshold.

    Args:
        genuine: (N,) float scores.
        impostor: (M,) float scores.
        correct: (N,) bool for identification: which genuine queries have their own identity first; None for
            verification, where all count.

    Returns:
        The curve; a rate over nobody is NaN throughout.

    Raises:
        ShapeError: if an array is not as described or holds NaN.
    """
    correct = np.ones(np.shape(genuine), bool) if correct is None else correct
    _check(genuine, correct, impostor)
    thresholds = np.append(np.unique(np.concatenate([genuine, impostor]).astype(np.float64))[::-1], -np.inf)
    if len(thresholds) > 1 and thresholds[-2] == -np.inf:
        thresholds = thresholds[:-1]
    return RocCurve(
        thresholds=thresholds,
        false_positive_rate=_shares_above(impostor, thresholds, len(impostor)),
        true_positive_rate=_shares_above(genuine[correct], thresholds, len(genuine)),
    )


def det_curve(genuine: Scores, impostor: Scores, *, correct: NDArray[np.bool_] | None = None) -> DetCurve:
    """Return both errors at every threshold: with ``correct`` FPIR and FNIR, without it FMR and FNMR.

    Args:
        genuine: (N,) float scores.
        impostor: (M,) float scores.
        correct: (N,) bool for identification; None for verification, as for ``roc_curve``.

    Returns:
        The curve; a rate over nobody is NaN throughout.

    Raises:
        ShapeError: if an array is not as described or holds NaN.
    """
    roc = roc_curve(genuine, impostor, correct=correct)
    return DetCurve(
        thresholds=roc.thresholds,
        false_positive_rate=roc.false_positive_rate,
        false_negative_rate=1 - roc.true_positive_rate,
    )


def _at_rate(
    genuine: Scores, correct: NDArray[np.bool_], impostor: Scores, rate: float, *, missed: bool
) -> OperatingPoint:
    """Set the threshold by the impostors and count the genuine queries found, or missed, at it."""
    if not 0 < rate <= 1:
        raise ValueError(f"the asked rate must be in (0, 1], got {rate}")
    _check(genuine, correct, impostor)
    threshold = _threshold(impostor, rate)
    found = int((correct & (genuine > threshold)).sum())
    counted = len(genuine) - found if missed else found
    return OperatingPoint(
        value=counted / len(genuine) if len(genuine) and len(impostor) else float("nan"),
        threshold=threshold,
        asked=rate,
        achieved=float((impostor > threshold).sum() / len(impostor)) if len(impostor) else float("nan"),
        n_genuine=len(genuine),
        n_impostors=len(impostor),
    )


def _threshold(impostor: Scores, rate: float) -> float:
    """Return the smallest threshold above which at most ``rate`` of the scores lie."""
    if not len(impostor):
        return float("nan")
    allowed = allowed_impostors(len(impostor), rate)
    if allowed == len(impostor):
        return float("-inf")
    place = len(impostor) - 1 - allowed
    return float(np.partition(impostor, place)[place])


def _shares_above(scores: Scores, thresholds: Rates, total: int) -> Rates:
    if not total:
        return np.full(len(thresholds), np.nan)
    shares: Rates = (len(scores) - np.searchsorted(np.sort(scores), thresholds, side="right")) / total
    return shares


def _check(genuine: Scores, correct: NDArray[np.bool_], impostor: Scores) -> None:
    for name, scores in (("genuine scores", genuine), ("impostor scores", impostor)):
        if scores.ndim != 1 or not np.issubdtype(scores.dtype, np.floating):
            raise ShapeError(f"{name} must be one-dimensional float, got {scores.shape} {scores.dtype}")
        if np.isnan(scores).any():
            raise ShapeError(f"{name} must be numbers: row {int(np.argmax(np.isnan(scores)))} is NaN")
    if correct.shape != genuine.shape or correct.dtype != np.bool_:
        raise ShapeError(f"genuine_correct must be {genuine.shape} bool, got {correct.shape} {correct.dtype}")
