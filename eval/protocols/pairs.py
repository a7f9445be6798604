"""Pairs: are two views of a thing closer than a look-alike on the same background (SSR and PA)?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.blocks import check_unit_rows, score_rows
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.intervals import RESAMPLES, Interval, bootstrap_interval
from nearid_search.eval.metrics import score_margins
from nearid_search.similarity import Embeddings
from nearid_search.trainer.dataset_rows import SampleRows
from nearid_search.trainer.datasets.problems import first_few

NO_DISTRACTORS = "the split has no distractors, and SSR and PA compare views with distractors"
_NO_MARGINS = "no identity has both two views and a distractor"


@dataclass(frozen=True)
class PairMargins:
    """Margins of every (identity, distractor source), which is a sample.

    Attributes:
        margins: (S, M) float64, NaN where there is no such margin; M may be 0.
        samples: (S,) number of the identity.
        sources: (S,) name of the source.
        triples: (S, M, 3) rows of the anchor, the other view and the anchor's distractor; -1 where there is no margin.
    """

    margins: NDArray[np.float64]
    samples: NDArray[np.int64]
    sources: NDArray[np.str_]
    triples: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PairFigures:
    """SSR and PA of some samples; see ``metrics.score_margins`` for what they are.

    Attributes:
        ssr: counted in samples.
        pa: counted in margins.
        pa_reference: counted in margins and samples.
        ssr_mean: counted in samples.
        n_dropped: samples without margin.
    """

    ssr: Interval
    pa: Interval
    pa_reference: Interval
    ssr_mean: Interval
    n_dropped: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures under their names, JSON-ready."""
        names = ("ssr", "pa", "pa_reference", "ssr_mean")
        return {**{name: getattr(self, name).as_dict() for name in names}, "n_dropped": self.n_dropped}


@dataclass(frozen=True, kw_only=True)
class PairsResult:
    """What the protocol found.

    Attributes:
        pooled: over all samples, so each source weighs as many as it has.
        per_source: by distractor source.
        per_category: by category; identities without one stand under "unknown".
        per_views: by number of views of the identity.
        n_unpaired: identities without any margin, for want of a second view or of distractors.
        margins: every margin.
    """

    pooled: PairFigures
    per_source: dict[str, PairFigures]
    per_category: dict[str, PairFigures]
    per_views: dict[str, PairFigures]
    n_unpaired: int
    margins: PairMargins


def pair_margins(samples: Sequence[SampleRows], embeddings: Embeddings) -> PairMargins:
    """Compute ``s(p_i, p_j) - s(p_i, n_i)`` for all ordered pairs of views i, j with a distractor n_i.

    Args:
        samples: with rows that point into ``embeddings``.
        embeddings: (R, D) float32 unit rows.

    Returns:
        The margins: two an (identity, source) with two views, six with three.

    Raises:
        ShapeError: if ``embeddings`` is not as described; NaN would pass for a margin that does not exist.
    """
    check_unit_rows(embeddings)
    numbers, sources, lists = [], [], []
    for number, sample in enumerate(samples):
        for source in sorted({name for view in sample.views for name in view.distractors}):
            numbers.append(number)
            sources.append(source)
            lists.append(
                [
                    (one.view, other.view, one.distractors[source])
                    for pair in combinations(sample.views, 2)
                    for one, other in (pair, pair[::-1])
                    if source in one.distractors
                ]
            )
    triples = np.full((len(lists), max(map(len, lists), default=0), 3), -1, np.int64)
    for place, found in enumerate(lists):
        if found:
            triples[place, : len(found)] = found
    margins = np.full(triples.shape[:2], np.nan)
    present = triples[:, :, 0] >= 0
    anchors, others, distractors = triples[present].T
    positive, negative = (score_rows(embeddings, anchors, rows) for rows in (others, distractors))
    margins[present] = positive.astype(np.float64) - negative
    return PairMargins(margins, np.array(numbers, np.int64), np.array(sources, np.str_), triples)


def evaluate_pairs(
    placed: PlacedSamples, embeddings: Embeddings, *, resamples: int = RESAMPLES, seed: int = 0
) -> PairsResult:
    """Score the margins of a split, pooled and by source, category and number of views.

    Args:
        placed: its identities.
        embeddings: (R, D) float32 unit rows.
        resamples: of each interval.
        seed: of each interval.

    Returns:
        The figures. Without any distractor they are NaN and say so.

    Raises:
        ShapeError: if ``embeddings`` is not as described.
    """
    found = pair_margins(placed.rows, embeddings)
    # Without distractors there is no sample; with distractors but single views there are samples without margins.
    reason = _NO_MARGINS if len(found.margins) else NO_DISTRACTORS

    def figures(chosen: NDArray[np.bool_]) -> PairFigures:
        return _figures(found.margins[chosen], found.samples[chosen], reason, resamples, seed)

    def by(label: Callable[[int], str]) -> dict[str, PairFigures]:
        labels = np.array([label(number) for number in found.samples.tolist()], object)
        return {name: figures(labels == name) for name in sorted(set(labels.tolist()))}

    with_margin = np.unique(found.samples[~np.isnan(found.margins).all(axis=1)])
    return PairsResult(
        pooled=figures(np.ones(len(found.margins), bool)),
        per_source={str(name): figures(found.sources == name) for name in np.unique(found.sources)},
        per_category=by(lambda number: placed.samples[number].category or "unknown"),
        per_views=by(lambda number: str(len(placed.samples[number].views))),
        n_unpaired=len(placed.samples) - len(with_margin),
        margins=found,
    )


def sample_values(margins: NDArray[np.float64]) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return, for each figure, the value and the weight of every sample; the figure is their weighted mean.

    Args:
        margins: (S, M) float64, NaN where there is none.

    Returns:
        By figure, two (S,) arrays; NaN values where a sample has no margin.
    """
    present = ~np.isnan(margins)
    counts = present.sum(axis=1).astype(np.float64)
    won = ((margins > 0) & present).sum(axis=1).astype(np.float64)
    won_mean = (np.where(present, margins, 0).sum(axis=1) > 0).astype(np.float64)
    exists = np.where(counts > 0, 1.0, np.nan)
    ones = np.ones(len(margins))
    with np.errstate(invalid="ignore"):
        return {
            "ssr": (exists * (won == counts), ones),
            "pa": (won / counts, counts),
            "pa_reference": (exists * (won + won_mean) / (counts + 1), counts + 1),
            "ssr_mean": (exists * won_mean, ones),
        }


def slices_line(slices: Mapping[str, PairFigures]) -> str:
    """Say how many samples of each slice have no margin, to stand beside its figures; empty if all have one."""
    lost = [f"{name} {figures.n_dropped:,}" for name, figures in slices.items() if figures.n_dropped]
    return f"samples left out, for want of a margin: {first_few(lost)}" if lost else ""


def _figures(
    margins: NDArray[np.float64], identities: NDArray[np.int64], reason: str, resamples: int, seed: int
) -> PairFigures:
    scores = score_margins(margins)
    n_trials = scores.n_margins + scores.n_samples
    counted = {"ssr": scores.n_samples, "pa": scores.n_margins, "pa_reference": n_trials, "ssr_mean": scores.n_samples}
    intervals = {}
    for name, (values, weights) in sample_values(margins).items():
        interval = bootstrap_interval(values, identities, weights=weights, resamples=resamples, seed=seed)
        # The value and its n are the metric's own, to the last digit.
        known = replace(interval, value=getattr(scores, name), n=counted[name])
        intervals[name] = known if interval.n else Interval.none(reason)
    return PairFigures(**intervals, n_dropped=scores.n_dropped)
