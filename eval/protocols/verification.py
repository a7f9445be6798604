"""Verification: are two pictures of one thing told from two that are not, pair by pair?

Genuine pairs are all two views of one identity. Impostors are all two views of different identities, and every view
with every distractor, its own and those of others; each content counts once. Pairs are scored block by block: of the
impostors only counts are kept, so memory grows with the genuine pairs alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.blocks import check_unit_rows, score_rows
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.intervals import RESAMPLES, Interval, bootstrap_interval
from nearid_search.eval.metrics import allowed_impostors, unresolved
from nearid_search.eval.paired import PairedDifference, paired_difference
from nearid_search.eval.protocols.gallery import Index, index_of
from nearid_search.eval.protocols.open_set import RATES
from nearid_search.similarity import Embeddings

_VIEWS, _PICTURES = 256, 4_096  # in a block of pairs


@dataclass(frozen=True, kw_only=True)
class VerificationResult:
    """What the protocol found.

    Attributes:
        figures: ``tar@far=0.01`` and ``tar@far=0.001``; n counts genuine pairs. Intervals resample the identities of
            genuine pairs and take the threshold, which is set by all impostors, as known.
        accepted: by figure, (P,) whether each genuine pair is accepted, 1 or 0; NaN where there is no figure.
        codes: (P,) identity of each genuine pair.
        n_impostors: impostor pairs.
    """

    figures: dict[str, Interval]
    accepted: dict[str, NDArray[np.float64]]
    codes: NDArray[np.int64]
    n_impostors: int

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, JSON-ready."""
        return {"n_genuine": len(self.codes), "n_impostors": self.n_impostors}


def evaluate_verification(
    placed: PlacedSamples, embeddings: Embeddings, *, resamples: int = RESAMPLES, seed: int = 0
) -> VerificationResult:
    """Compare all pairs; see ``metrics.tar_at_far`` for the figure.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.
        resamples: of each interval.
        seed: of each interval.

    Returns:
        The figures; NaN, with the reason, where a rate is finer than the impostors can show.

    Raises:
        ShapeError: if ``embeddings`` is not as described.
    """
    check_unit_rows(embeddings)
    rows, pairs = placed.view_rows, placed.view_pairs
    thresholds, place_of = np.unique(score_rows(embeddings, rows[pairs[:, 0]], rows[pairs[:, 1]]), return_inverse=True)
    index = index_of(placed)
    n_impostors = _num_impostors(index, len(rows), len(pairs))
    most = allowed_impostors(n_impostors, max(RATES))
    above = _impostors_from(thresholds, index, embeddings, len(rows), most)[place_of]
    codes = placed.view_codes[pairs[:, 0]]
    figures, accepted = {}, {}
    for rate in RATES:
        name = f"tar@far={rate}"
        reason = unresolved(n_impostors, rate) if len(pairs) else "no identity has two views"
        # Above the threshold is what no more impostors reach than may be accepted.
        passed = (above <= allowed_impostors(n_impostors, rate)).astype(np.float64)
        accepted[name] = np.full(len(pairs), np.nan) if reason else passed
        interval = bootstrap_interval(accepted[name], codes, resamples=resamples, seed=seed)
        figures[name] = Interval.none(reason) if reason else interval
    return VerificationResult(figures=figures, accepted=accepted, codes=codes, n_impostors=n_impostors)


def compare_verification(
    first: VerificationResult, second: VerificationResult, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, PairedDifference]:
    """Test whether two encoders differ, each at its own thresholds.

    Args:
        first: of one encoder.
        second: of the other, on the same split.
        resamples: of each interval.
        seed: of each interval.

    Returns:
        By figure, first less second.
    """
    return {
        name: paired_difference(values, second.accepted[name], first.codes, resamples=resamples, seed=seed)
        for name, values in first.accepted.items()
    }


def _num_impostors(index: Index, num_views: int, num_genuine: int) -> int:
    return num_views * (num_views - 1) // 2 - num_genuine + num_views * (len(index.rows) - num_views)


def _impostors_from(
    thresholds: NDArray[np.float32], index: Index, embeddings: Embeddings, num_views: int, most: int
) -> NDArray[np.int64]:
    """Count, for each of the ascending thresholds, the impostors that reach it, as far as they are no more than most.

    Where they are more the count may stop at any number above ``most``.
    """
    counts = np.zeros(len(thresholds), np.int64)
    lost = 0  # thresholds, the lowest, that more than ``most`` are known to reach
    for scores in _impostor_scores(index, embeddings, num_views):
        if lost == len(thresholds):
            break
        reached = np.searchsorted(thresholds, scores[scores >= thresholds[lost]], side="right")
        # A score that reaches the n lowest thresholds counts for each of them.
        counts += np.bincount(reached, minlength=len(thresholds) + 1)[:0:-1].cumsum()[::-1]
        lost = int((counts > most).sum())
    return counts


def _impostor_scores(index: Index, embeddings: Embeddings, num_views: int) -> Iterator[NDArray[np.float32]]:
    """Yield the scores of all impostors, each pair once, block by block."""
    for start in range(0, num_views, _VIEWS):
        stop = min(start + _VIEWS, num_views)
        views = embeddings[index.rows[start:stop]].astype(np.float64)
        for first in range(start, len(index.rows), _PICTURES):
            part = slice(first, first + _PICTURES)
            scores = (views @ embeddings[index.rows[part]].astype(np.float64).T).astype(np.float32)
            later = np.arange(start, stop)[:, None] < np.arange(first, first + scores.shape[1])
            yield scores[later & (index.codes[start:stop, None] != index.codes[part])]
