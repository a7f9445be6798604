"""Cross-view: is a thing still recognised from another angle or in other light?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.blocks import check_unit_rows, score_rows
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.intervals import RESAMPLES, Interval, bootstrap_interval
from nearid_search.eval.protocols.gallery import NearestOthers
from nearid_search.similarity import Embeddings

CIRCULAR = ("azimuth", "yaw")
"""How names of columns in degrees end whose difference is the shorter way round."""
_NUM_BINS = 4


@dataclass(frozen=True)
class DifferenceBin:
    """Pairs of views that differ about as much.

    Attributes:
        low: smallest difference among them.
        high: largest.
        recall: share of (query, other view) pairs where that view alone would be found at rank 1.
    """

    low: float
    high: float
    recall: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"low": self.low, "high": self.high, "recall@1": self.recall.as_dict()}


@dataclass(frozen=True)
class CrossViewResult:
    """What the protocol found for one column.

    Attributes:
        bins: by rising difference, each of about as many pairs.
        n_dropped: ordered pairs of views one of which lacks the number.
    """

    bins: tuple[DifferenceBin, ...]
    n_dropped: int

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"bins": [each.as_dict() for each in self.bins], "n_dropped": self.n_dropped}


def evaluate_cross_view(
    placed: PlacedSamples,
    embeddings: Embeddings,
    nearest: NearestOthers,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, CrossViewResult]:
    """Recall at rank 1 by how much query and answer differ in each of the dataset's columns of numbers.

    For each ordered pair of views of an identity, the other view alone stands for the identity: the pair is won if it
    scores above everything of the gallery that is not of the identity; a tie loses.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.
        nearest: from ``nearest_others`` for the same embeddings.
        resamples: of each interval.
        seed: of each interval.

    Returns:
        By name of the column; empty if the dataset has none. Columns in degrees that go round (``CIRCULAR``) differ by
        the shorter way, any other by subtraction.

    Raises:
        ShapeError: if ``embeddings`` is not as described.
    """
    check_unit_rows(embeddings)
    first, second = np.concatenate([placed.view_pairs, placed.view_pairs[:, ::-1]]).T
    rows = placed.view_rows
    scores = score_rows(embeddings, rows[first], rows[second])
    won = (scores > nearest.scores[first]).astype(np.float64)
    views = [view for sample in placed.samples for view in sample.views]
    results = {}
    for column in sorted({name for view in views for name in view.attributes}):
        numbers = np.array([view.attributes.get(column, np.nan) for view in views])
        differences = _differences(column, numbers[first], numbers[second])
        known = ~np.isnan(differences)
        bins = _bin(differences[known], won[known], placed.view_codes[first[known]], resamples, seed)
        results[column] = CrossViewResult(bins, int((~known).sum()))
    return results


def _differences(column: str, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    difference = np.abs(one - other)
    if column.lower().endswith(CIRCULAR):
        difference = difference % 360
        difference = np.minimum(difference, 360 - difference)
    return difference


def _bin(
    differences: NDArray[np.float64],
    won: NDArray[np.float64],
    codes: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> tuple[DifferenceBin, ...]:
    if not len(differences):
        return ()
    # Quantiles of the distinct differences, so that datasets with few of them get one bin each.
    distinct = np.unique(differences)
    edges = np.unique(np.quantile(distinct, np.linspace(0, 1, _NUM_BINS + 1)[1:-1], method="lower"))
    places = np.searchsorted(edges, differences, side="left")
    return tuple(
        DifferenceBin(
            float(differences[places == place].min()),
            float(differences[places == place].max()),
            bootstrap_interval(won[places == place], codes[places == place], resamples=resamples, seed=seed),
        )
        for place in np.unique(places)
    )
