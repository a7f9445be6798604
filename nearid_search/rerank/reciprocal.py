"""k-reciprocal encoding: two images are alike if the same images are among their nearest, and they among those'.

Zhong, Zheng, Cao and Li, "Re-ranking person re-identification with k-reciprocal encoding", arXiv 1701.08398. Here the
query and its shortlist are all there is, so every matrix has the shortlist's size and never the gallery's; on a gallery
that fits into the shortlist nothing is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.rerank.shortlist import Shortlist

K1, K2, PLAIN_SHARE = 4, 1, 0.7
"""Neighbours that must be mutual, neighbours averaged over, and the weight of the plain score in the sum."""
_OVERLAP = 2 / 3

Floats = NDArray[np.float64]


def reciprocal_scores(
    shortlist: Shortlist, *, k1: int = K1, k2: int = K2, plain_share: float = PLAIN_SHARE
) -> NDArray[np.float32]:
    """Score a shortlist by shared mutual neighbours and by the plain score.

    Args:
        shortlist: S images of width D.
        k1: nearest others of an image that count as neighbours.
        k2: nearest, itself among them, over which an image's neighbourhood is averaged.
        plain_share: weight of the plain score in [0, 1]; the rest is the Jaccard similarity.

    Returns:
        (S,) float32; higher is more alike.
    """
    vectors = np.concatenate([shortlist.query[None], shortlist.vectors]).astype(np.float64)
    scores = np.clip(vectors @ vectors.T, -1, 1)
    np.fill_diagonal(scores, np.inf)  # each is its own nearest
    order = np.argsort(-scores, axis=1, kind="stable")
    np.fill_diagonal(scores, 1)
    weights = np.where(_expanded(order, k1), np.exp(scores - 1), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    weights = weights[order[:, :k2]].mean(axis=1)
    shared = np.minimum(weights[0], weights[1:]).sum(axis=1)
    jaccard = shared / (2 - shared)  # both sum to 1
    mixed: NDArray[np.float32] = ((1 - plain_share) * jaccard + plain_share * scores[0, 1:]).astype(np.float32)
    return mixed


def _mutual(order: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Mark which images are among each other's k nearest; (N, N), each its own."""
    near = np.zeros((len(order),) * 2, np.bool_)
    np.put_along_axis(near, order[:, : k + 1], True, axis=1)
    return near & near.T


def _expanded(order: NDArray[np.int64], k1: int) -> NDArray[np.bool_]:
    """Add to each image's mutual neighbours the closer circle of each of them that lies mostly within."""
    mutual, circle = _mutual(order, k1), _mutual(order, max(1, round(k1 / 2)))
    overlap = mutual.astype(np.float64) @ circle.T.astype(np.float64)
    joins = mutual & (overlap > _OVERLAP * circle.sum(axis=1))
    expanded: NDArray[np.bool_] = mutual | (joins.astype(np.float64) @ circle.astype(np.float64) > 0)
    return expanded
