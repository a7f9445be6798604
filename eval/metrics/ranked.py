"""Metrics of a ranking, computed from the ranks of the relevant items alone.

No score enters, so nothing here can depend on a score's sign or scale. How equal scores are ordered is decided where
the ranks are made (``nearid_search.eval.ranks``: a tie loses). Every metric is returned query by query, which is what
a bootstrap needs; ``mean_over_queries`` closes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RelevantRanks:
    """Where each query's relevant gallery items stand; a query without any is *lone*.

    Attributes:
        ranks: (T,) int64, 1-based, ascending within a query; those of query q are ``ranks[offsets[q]:offsets[q + 1]]``.
        offsets: (Q + 1,) int64, from 0 to T.
        gallery_size: items that were ranked; no rank is above it.

    Raises:
        ShapeError: if the arrays are not as described.

    Example:
        >>> found = RelevantRanks.from_lists([[1, 3], []], gallery_size=4)
        >>> found.counts.tolist()
        [2, 0]
    """

    ranks: NDArray[np.int64]
    offsets: NDArray[np.int64]
    gallery_size: int

    def __post_init__(self) -> None:
        for name, array in (("ranks", self.ranks), ("offsets", self.offsets)):
            if array.ndim != 1 or array.dtype != np.int64:
                raise ShapeError(f"{name} must be one-dimensional int64, got {array.shape} {array.dtype}")
        ends = self.offsets[[0, -1]].tolist() if len(self.offsets) else []
        if ends != [0, len(self.ranks)] or (np.diff(self.offsets) < 0).any():
            raise ShapeError(f"offsets must ascend from 0 to the {len(self.ranks)} ranks, got {self.offsets}")
        outside = (self.ranks < 1) | (self.ranks > self.gallery_size)
        if outside.any():
            rank = self.ranks[np.argmax(outside)]
            raise ShapeError(f"ranks must be within 1 and the gallery's {self.gallery_size} items, got {rank}")
        falls = np.diff(self.ranks) <= 0
        falls[np.setdiff1d(self.offsets, [0, len(self.ranks)]) - 1] = False  # from one query to the next
        if falls.any():
            query = self.query_of[np.argmax(falls)]
            raise ShapeError(f"ranks must ascend within a query without repeating, query {query} does not")

    @classmethod
    def from_lists(cls, ranks: Sequence[Sequence[int]], gallery_size: int) -> RelevantRanks:
        """Pack one list of ranks for each query."""
        offsets = np.cumsum([0, *map(len, ranks)], dtype=np.int64)
        return cls(np.array([rank for one in ranks for rank in one], np.int64), offsets, gallery_size)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(Q,) relevant items of each query; 0 for a lone one."""
        return np.diff(self.offsets)

    @property
    def query_of(self) -> NDArray[np.int64]:
        """(T,) query to which each rank belongs."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


class QueryMean(NamedTuple):
    """A mean over the queries that have a value.

    Attributes:
        mean: NaN if no query has one.
        n: queries counted.
        n_lone: queries without a value, in neither the sum nor ``n``.
    """

    mean: float
    n: int
    n_lone: int


def mean_over_queries(values: Values) -> QueryMean:
    """Average a metric over the queries that have a relevant item.

    Args:
        values: (Q,) float64 of one metric; NaN for lone queries.

    Returns:
        The mean, the queries counted and the lone ones.

    Raises:
        ShapeError: if ``values`` is not (Q,) float64.

    Example:
        >>> mean_over_queries(np.array([1.0, 0.5, np.nan]))
        QueryMean(mean=0.75, n=2, n_lone=1)
    """
    if values.ndim != 1 or values.dtype != np.float64:
        raise ShapeError(f"values must be (Q,) float64, got {values.shape} {values.dtype}")
    present = values[~np.isnan(values)]
    mean = float(present.mean()) if len(present) else float("nan")
    return QueryMean(mean, len(present), len(values) - len(present))


def recall_at_k(ranks: RelevantRanks, k: int) -> Values:
    """Say of each query whether at least one relevant item is among the first k.

    The mean is the share of queries answered within k: the Recall@k of image retrieval and metric learning
    (Jegou et al., 2011), which TREC calls Success@k and ranx ``hit_rate``. The rival of the same name is the share of
    *all* relevant items found within k; the two agree only where every query has one relevant item.

    Args:
        ranks: where the relevant items stand.
        k: cut-off, at least 1; above the gallery's size every query that is not lone is answered.

    Returns:
        (Q,) float64, 1 or 0; NaN for lone queries, an empty gallery included.

    Raises:
        ValueError: if ``k`` is below 1.

    Example:
        >>> recall_at_k(RelevantRanks.from_lists([[1, 9], [3], []], 10), k=2).tolist()
        [1.0, 0.0, nan]
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return _unless_lone(ranks, _sums(ranks, ranks.ranks <= k) > 0)


def average_precision(ranks: RelevantRanks) -> Values:
    """Average the precision at the rank of every relevant item; the mean over queries is mAP.

    ``AP = 1/R * sum_j j / rank_j`` with R relevant items and the j-th of them at ``rank_j``: non-interpolated, over the
    whole ranking (Manning et al., *Introduction to Information Retrieval*, section 8.4). Rivals: AP cut off at a depth
    (ranx ``map@k``, mAP@R), which divides by R although items below the cut count as never found, and the trapezoidal
    AP of the Oxford Buildings program, which starts from a precision of 1 and comes out different.

    Args:
        ranks: where the relevant items stand.

    Returns:
        (Q,) float64 in (0, 1]; NaN for lone queries.

    Example:
        >>> average_precision(RelevantRanks.from_lists([[1, 4], [2]], 4)).tolist()
        [0.75, 0.5]
    """
    places = np.arange(len(ranks.ranks)) - np.repeat(ranks.offsets[:-1], ranks.counts) + 1
    return _unless_lone(ranks, _sums(ranks, places / ranks.ranks) / np.maximum(ranks.counts, 1))


def r_precision(ranks: RelevantRanks) -> Values:
    """Return the share of relevant items among the first R, R being how many the query has.

    At this cut precision and (in TREC's sense) recall are the same number (Manning et al., section 8.4). Not to be
    taken for mAP@R (Musgrave et al., 2020), which weighs the hits within R by their precision.

    Args:
        ranks: where the relevant items stand.

    Returns:
        (Q,) float64 in [0, 1]; NaN for lone queries.

    Example:
        >>> r_precision(RelevantRanks.from_lists([[1, 4], [1]], 4)).tolist()
        [0.5, 1.0]
    """
    within = ranks.ranks <= np.repeat(ranks.counts, ranks.counts)
    return _unless_lone(ranks, _sums(ranks, within) / np.maximum(ranks.counts, 1))


def inverse_negative_penalty(ranks: RelevantRanks) -> Values:
    """Return R divided by the rank of the last relevant item; the mean over queries is mINP.

    1 means that no wrong item stands above the hardest right one (Ye et al., *Deep Learning for Person
    Re-Identification*, arXiv 2001.04193, section 4.1). AP, its rival, hardly notices one item found very late.

    Args:
        ranks: where the relevant items stand.

    Returns:
        (Q,) float64 in (0, 1]; NaN for lone queries.

    Example:
        >>> inverse_negative_penalty(RelevantRanks.from_lists([[1, 4], [1]], 4)).tolist()
        [0.5, 1.0]
    """
    values = np.full(len(ranks.counts), np.nan)
    kept = ranks.counts > 0
    values[kept] = ranks.counts[kept] / ranks.ranks[ranks.offsets[1:][kept] - 1]
    return values


def _sums(ranks: RelevantRanks, terms: NDArray[np.generic]) -> Values:
    """Add up one term for each relevant item, query by query."""
    return np.bincount(ranks.query_of, weights=terms, minlength=len(ranks.counts)).astype(np.float64)


def _unless_lone(ranks: RelevantRanks, values: NDArray[np.generic]) -> Values:
    return np.where(ranks.counts > 0, values, np.nan).astype(np.float64)
