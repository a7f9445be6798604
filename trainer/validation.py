"""How good a head is on a split: SSR and PA by pairs, rank-1 in a gallery, and whether graded similarity survives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.metrics import recall_at_k, score_margins
from nearid_search.eval.protocols.pairs import pair_margins
from nearid_search.eval.ranks import relevant_ranks
from nearid_search.similarity import Embeddings, pair_scores
from nearid_search.trainer.dataset_rows import SampleRows

COLLAPSED_BELOW = 0.1  # rank correlation with the frozen features
SPREAD_BELOW = 0.01  # standard deviation of scores between different things
_MAX_ANCHORS = 256  # things whose pairs are graded


@dataclass(frozen=True, kw_only=True)
class ValidationScores:
    """What a validation found; fractions in [0, 1], NaN where nothing could be counted.

    Attributes:
        ssr: share of (identity, distractor source) samples all of whose margins are won.
        pa: share of margins won.
        rank1: share of views whose nearest image, among all other views and every distractor, is of their identity.
        grading: rank correlation between the head's scores and the frozen features' over pairs of different things.
        spread: standard deviation of the head's scores over those pairs.
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
                f"graded similarity is lost (rank correlation {self.grading:.2f} with the frozen features): "
                "raise loss.alpha"
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


def validate(samples: Sequence[SampleRows], embeddings: Embeddings, frozen: Embeddings) -> ValidationScores:
    """Score embeddings on the samples of a split.

    Args:
        samples: with rows that point into ``embeddings``.
        embeddings: (R, D) float32 unit rows of the head.
        frozen: (R, F) float32 unit rows of the frozen features.
    """
    margins = score_margins(pair_margins(samples, embeddings).margins)
    hits = _rank1_hits(samples, embeddings)
    anchors = [sample.views[0].view for sample in samples if sample.views][:_MAX_ANCHORS]
    scores, graded = _scores_between(anchors, embeddings), _scores_between(anchors, frozen)
    return ValidationScores(
        ssr=margins.ssr,
        pa=margins.pa,
        rank1=float(hits.mean()) if len(hits) else float("nan"),
        grading=_rank_correlation(scores, graded),
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


def _rank_correlation(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Spearman's, without a correction for ties; NaN for fewer than two pairs."""
    if len(left) < 2:
        return float("nan")
    left_ranks, right_ranks = (np.argsort(np.argsort(values, kind="stable")) for values in (left, right))
    return float(np.corrcoef(left_ranks, right_ranks)[0, 1])
