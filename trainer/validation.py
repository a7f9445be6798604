"""How good a head is on a split: SSR and PA by pairs, rank-1 in a gallery, and whether graded similarity survives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.metrics import recall_at_k, score_margins
from nearid_search.eval.protocols.pairs import pair_margins
from nearid_search.eval.ranks import relevant_ranks
from nearid_search.similarity import Embeddings, pair_scores
from nearid_search.trainer.dataset_rows import SampleRows

COLLAPSED_BELOW = 0.55  # of the grading; 0.5 is no grading at all
SPREAD_BELOW = 0.01  # standard deviation of scores between different things
_MAX_ANCHORS = 256  # things whose scores are graded
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


@dataclass(frozen=True, kw_only=True)
class ValidationScores:
    """What a validation found; fractions in [0, 1], NaN where nothing could be counted.

    Attributes:
        ssr: share of (identity, distractor source) samples all of whose margins are won.
        pa: share of margins won.
        rank1: share of views whose nearest image, among all other views and every distractor, is of their identity.
        grading: probability that a view scores higher with a distractor of its identity, on another view's background,
            than with some other thing: near-identity is to stay between identity and anything else.
        spread: standard deviation of the scores between different things.
        n_samples: samples that ``ssr`` counts.
        n_queries: views that ``rank1`` counts.
    """

    ssr: float
    pa: float
    rank1: float
    grading: float
    spread: float
    n_samples: int
    n_queries: int

    @property
    def rank(self) -> tuple[float, ...]:
        """Larger is better: by SSR, then PA, then rank-1; NaN counts as nothing."""
        return tuple(np.nan_to_num([self.ssr, self.pa, self.rank1], nan=-1.0).tolist())

    @property
    def alarm(self) -> str:
        """What has collapsed, in words; empty if nothing has."""
        if self.spread < SPREAD_BELOW:
            return f"all things look alike to the head (spread of scores {self.spread:.4f}): lower the learning rate"
        if self.grading < COLLAPSED_BELOW:
            return (
                f"graded similarity is lost (a near-identity distractor scores above some other thing with "
                f"probability {self.grading:.2f}): raise loss.alpha"
            )
        return ""

    def as_dict(self) -> dict[str, float | None]:
        """Return the fields as JSON-ready values; NaN, which JSON lacks, as None."""
        return {name: None if np.isnan(value) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ValidationScores:
        """Undo ``as_dict``."""
        filled: dict[str, Any] = {name: float("nan") if value is None else value for name, value in values.items()}
        return cls(**filled)


def validate(samples: Sequence[SampleRows], embeddings: Embeddings) -> ValidationScores:
    """Score embeddings on the samples of a split.

    Args:
        samples: with rows that point into ``embeddings``.
        embeddings: (R, D) float32 unit rows.
    """
    margins = score_margins(pair_margins(samples, embeddings).margins)
    hits = _rank1_hits(samples, embeddings)
    anchors = [sample for sample in samples if sample.views][:_MAX_ANCHORS]
    scores = _scores_between([sample.views[0].view for sample in anchors], embeddings)
    return ValidationScores(
        ssr=margins.ssr,
        pa=margins.pa,
        rank1=float(hits.mean()) if len(hits) else float("nan"),
        grading=_grading(anchors, embeddings),
        spread=float(scores.std()) if len(scores) else float("nan"),
        n_samples=margins.n_samples,
        n_queries=len(hits),
    )


def _scores_between(rows: list[int], embeddings: Embeddings) -> NDArray[np.float32]:
    """Score every pair of different rows once."""
    found = [pair_scores(embeddings[row], embeddings[rows[:number]]) for number, row in enumerate(rows)]
    return np.concatenate([np.zeros(0, np.float32), *found])


def _rank1_hits(samples: Sequence[SampleRows], embeddings: Embeddings) -> NDArray[np.float64]:
    """Whether the nearest other image of each view is of its identity; identities with one view are not asked about."""
    identity_of = {view.view: number for number, sample in enumerate(samples) for view in sample.views}
    rows = set(identity_of) | {row for sample in samples for view in sample.views for row in view.distractors.values()}
    gallery = np.array(sorted(rows), np.int64)
    owners = np.array([identity_of.get(int(row), -1) for row in gallery], np.int64)
    queries = np.array([view.view for sample in samples if len(sample.views) > 1 for view in sample.views], np.int64)
    codes = np.array([identity_of[query] for query in queries.tolist()], np.int64)
    itself = np.searchsorted(gallery, queries)
    ranks = relevant_ranks(embeddings[queries], codes, embeddings[gallery], owners, exclude=itself)
    return recall_at_k(ranks, 1)


def _grading(anchors: Sequence[SampleRows], embeddings: Embeddings) -> float:
    """Compare a view's distractors with first views of other things; NaN where there is nothing to compare."""
    firsts = np.array([sample.views[0].view for sample in anchors], np.int64)
    shares = []
    for number, sample in enumerate(anchors):
        # Those of the other views: on the view's own background a distractor would score high for the background.
        near = [row for view in sample.views[1:] for row in view.distractors.values()]
        others = np.sort(pair_scores(embeddings[firsts[number]], embeddings[np.delete(firsts, number)]))
        if near and len(others):
            scores = pair_scores(embeddings[firsts[number]], embeddings[near])
            above, not_below = (np.searchsorted(others, scores, side=side) for side in _SIDES)
            shares.append(float((above + not_below).mean()) / (2 * len(others)))  # a tie counts half
    return float(np.mean(shares)) if shares else float("nan")
