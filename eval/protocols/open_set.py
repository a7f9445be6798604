"""Open set: what happens when the thing asked for is not in the gallery, but its look-alike is?

Identities are split into folds by the seed; each fold is held out of the gallery once. Searches of the views of
enrolled identities are mated: the view itself is taken out, its identity's other views should come first. Searches of
the views of held-out identities are impostors, and so are the near-identity distractors of enrolled identities. The
trials of all folds are pooled, so one threshold serves all. A tie between right and wrong is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.eval.blocks import check_unit_rows, search_rows
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.intervals import RESAMPLES, Interval, bootstrap_interval, bootstrap_statistic
from nearid_search.eval.metrics import OperatingPoint, fnir_at_fpir, unresolved
from nearid_search.eval.paired import PairedDifference, paired_statistic
from nearid_search.eval.protocols.gallery import best_own, best_wrong
from nearid_search.similarity import Embeddings, Rows, top_k

RATES = (0.01, 0.001)
FOLDS = 5


@dataclass(frozen=True)
class Trials:
    """Searches of a gallery.

    Attributes:
        scores: (T,) float64 of the first hit.
        mated: (T,) whether the thing asked for is in the gallery.
        right: (T,) whether the first hit is of the identity asked for, none other scoring as high; never for impostors.
        near: (T,) whether the query is a near-identity distractor.
        codes: (T,) identity that the query belongs to; a distractor's is the one it was made for.
    """

    scores: NDArray[np.float64]
    mated: NDArray[np.bool_]
    right: NDArray[np.bool_]
    near: NDArray[np.bool_]
    codes: NDArray[np.int64]


class Threshold(NamedTuple):
    """Where a rate is met.

    Attributes:
        score: first hits strictly above it are accepted.
        achieved: share of all impostors accepted, at most the rate asked for.
        achieved_near: of near-identity distractors; NaN if there are none. Its interval takes the score as known.
        achieved_held: of views of held-out identities; the same.
    """

    score: float
    achieved: float
    achieved_near: Interval
    achieved_held: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        kinds = {"achieved_near": self.achieved_near.as_dict(), "achieved_held": self.achieved_held.as_dict()}
        return {"score": self.score, "achieved": self.achieved, **kinds}


@dataclass(frozen=True, kw_only=True)
class OpenSetResult:
    """What the protocol found.

    Attributes:
        figures: ``fnir@fpir=0.01``, ``fnir@fpir=0.001``, ``dir@far=0.01`` and ``dir@far=0.001``; n is ``n_mated``.
        thresholds: for "fpir=0.01" and "fpir=0.001", as far as the impostors resolve them.
        trials: every search.
        folds: into how many parts the identities were split.
        n_mated: searches whose answer was in the gallery.
        n_impostors: all others.
        n_near: impostors that are near-identity distractors.
        n_lone: views, over all folds, that have no other view to be found; in no trial.
        n_shown: distractors, over all folds, that show another identity of the split; no impostors, in no trial.
    """

    figures: dict[str, Interval]
    thresholds: dict[str, Threshold]
    trials: Trials
    folds: int
    n_mated: int
    n_impostors: int
    n_near: int
    n_lone: int
    n_shown: int

    def as_dict(self) -> dict[str, Any]:
        """Return thresholds and counts, JSON-ready."""
        counts = {name: value for name, value in vars(self).items() if name not in ("figures", "thresholds", "trials")}
        return {"thresholds": {name: each.as_dict() for name, each in self.thresholds.items()}, **counts}


def evaluate_open_set(
    placed: PlacedSamples,
    embeddings: Embeddings,
    *,
    folds: int = FOLDS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> OpenSetResult:
    """Search galleries from which identities are held out.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.
        folds: parts of the identities, at least 2; no more than there are identities are made.
        resamples: of each interval, whole identities with all their trials.
        seed: of the folds and of each interval.

    Returns:
        The figures; NaN, with the reason, where a rate is finer than the impostors can resolve.

    Raises:
        ShapeError: if ``embeddings`` is not as described.
        ValueError: if ``folds`` is below 2.
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    check_unit_rows(embeddings)
    order = np.random.default_rng(seed).permutation(len(placed.samples))
    parts = [part for part in np.array_split(order, folds) if len(part)]
    # With all identities in one part the gallery is empty.
    _, answer_scores = best_own(placed, embeddings)
    found = [_search_fold(placed, embeddings, answer_scores, part) for part in parts] if len(parts) > 1 else []
    trials = _join([trials for trials, _ in found])
    lone = np.bincount(placed.view_codes, minlength=len(placed.samples)) < 2
    figures: dict[str, Interval] = {}
    for rate in RATES:
        fnir = _fnir(trials, rate, resamples, seed)
        figures[f"fnir@fpir={rate}"] = fnir
        # By definition what is not missed is detected and identified (see ``metrics.dir_at_far``).
        figures[f"dir@far={rate}"] = replace(fnir, value=1 - fnir.value, low=1 - fnir.high, high=1 - fnir.low)
    return OpenSetResult(
        figures=figures,
        thresholds=_thresholds(trials, resamples, seed),
        trials=trials,
        folds=len(parts),
        n_mated=int(trials.mated.sum()),
        n_impostors=int((~trials.mated).sum()),
        n_near=int(trials.near.sum()),
        n_lone=int(lone.sum()) * max(len(parts) - 1, 0),
        n_shown=sum(n_shown for _, n_shown in found),
    )


def compare_open_set(
    first: OpenSetResult, second: OpenSetResult, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, PairedDifference]:
    """Test whether two encoders differ in open set; every resample sets the threshold of each anew.

    Args:
        first: of one encoder.
        second: of the other, on the same split with the same folds and seed.
        resamples: of each interval.
        seed: of each interval.

    Returns:
        By figure, first less second.

    Raises:
        ShapeError: if the two were not asked the same.
    """
    one, other = first.trials, second.trials
    if not (np.array_equal(one.codes, other.codes) and np.array_equal(one.mated, other.mated)):
        raise ShapeError("both encoders need trials of the same split, folds and seed")
    found = {}
    for rate in RATES:
        figure = first.figures[f"fnir@fpir={rate}"]
        fnir = PairedDifference(difference=Interval.none(figure.reason), p_value=float("nan"), n_dropped=0)
        if not np.isnan(figure.value):
            ours, theirs = (partial(_fnir_of, trials, rate) for trials in (one, other))
            fnir = paired_statistic(ours, theirs, one.codes, resamples=resamples, seed=seed)
            fnir = replace(fnir, difference=replace(fnir.difference, n=figure.n))
        gap = fnir.difference
        found[f"fnir@fpir={rate}"] = fnir
        opposite = replace(gap, value=0 - gap.value, low=0 - gap.high, high=0 - gap.low)  # no -0.0
        found[f"dir@far={rate}"] = replace(fnir, difference=opposite)
    return found


def _search_fold(
    placed: PlacedSamples, embeddings: Embeddings, answer_scores: NDArray[np.float32], held: NDArray[np.int64]
) -> tuple[Trials, int]:
    """Search with one part of the identities held out; also count distractors that are no impostors."""
    rows, codes = placed.view_rows, placed.view_codes
    enrolled = ~np.isin(codes, held)
    gallery, gallery_codes = embeddings[rows[enrolled]], codes[enrolled]
    _, wrong = best_wrong(gallery, gallery_codes, gallery, gallery_codes)
    with_mate = ~np.isnan(answer_scores[enrolled])
    own, wrong = answer_scores[enrolled][with_mate], wrong[with_mate]
    mated = Trials(
        np.maximum(own, wrong).astype(np.float64),
        np.ones(len(own), bool),
        own > wrong,
        np.zeros(len(own), bool),
        gallery_codes[with_mate],
    )
    near, near_codes, n_shown = _near_impostors(placed, set(held.tolist()))
    queries = np.concatenate([rows[~enrolled], near])
    best, _ = search_rows(partial(top_k, gallery=gallery, k=1), embeddings, queries)
    impostors = Trials(
        best[:, 0].astype(np.float64),
        np.zeros(len(queries), bool),
        np.zeros(len(queries), bool),
        np.arange(len(queries)) >= int((~enrolled).sum()),
        np.concatenate([codes[~enrolled], near_codes]),
    )
    return _join([mated, impostors]), n_shown


def _near_impostors(placed: PlacedSamples, held: set[int]) -> tuple[Rows, NDArray[np.int64], int]:
    """Return the distractors of enrolled identities, each content once, for whom, and how many show an identity."""
    views = set(placed.view_rows.tolist())
    found: dict[int, int] = {}
    shown = set()
    for code, row in _distractors(placed):
        if row in views:
            shown.add(row)
        elif code not in held:
            found.setdefault(row, code)
    return np.array(list(found), np.int64), np.array(list(found.values()), np.int64), len(shown)


def _distractors(placed: PlacedSamples) -> Iterator[tuple[int, int]]:
    for code, sample in enumerate(placed.rows):
        for view in sample.views:
            for row in view.distractors.values():
                yield code, row


def _join(parts: list[Trials]) -> Trials:
    empty = Trials(np.zeros(0), np.zeros(0, bool), np.zeros(0, bool), np.zeros(0, bool), np.zeros(0, np.int64))
    columns = (np.concatenate([getattr(part, name) for part in (empty, *parts)]) for name in vars(empty))
    return Trials(*columns)


def _fnir(trials: Trials, rate: float, resamples: int, seed: int) -> Interval:
    n_impostors = int((~trials.mated).sum())
    reason = unresolved(n_impostors, rate) if trials.mated.any() else "no mated search"
    if reason:
        return Interval.none(reason)
    interval = bootstrap_statistic(partial(_fnir_of, trials, rate), trials.codes, resamples=resamples, seed=seed)
    return replace(interval, n=int(trials.mated.sum()))


def _fnir_of(trials: Trials, rate: float, rows: NDArray[np.int64]) -> float:
    return _point(trials, rate, rows).value


def _point(trials: Trials, rate: float, rows: NDArray[np.int64]) -> OperatingPoint:
    mated, impostors = rows[trials.mated[rows]], rows[~trials.mated[rows]]
    return fnir_at_fpir(trials.scores[mated], trials.right[mated], trials.scores[impostors], rate)


def _thresholds(trials: Trials, resamples: int, seed: int) -> dict[str, Threshold]:
    """Say, for each rate, where the threshold lies and which kind of impostor passes it."""
    found = {}
    for rate in RATES:
        point = _point(trials, rate, np.arange(len(trials.scores)))
        if point.resolvable:
            near, held = trials.near, ~trials.mated & ~trials.near
            accepted = (trials.scores > point.threshold).astype(np.float64)
            shares = (
                bootstrap_interval(accepted[kind], trials.codes[kind], resamples=resamples, seed=seed)
                for kind in (near, held)
            )
            found[f"fpir={rate}"] = Threshold(point.threshold, point.achieved, *shares)
    return found
