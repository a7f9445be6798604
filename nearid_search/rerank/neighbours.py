"""Averaging on the gallery's side: a view is replaced by the mean of itself and the views that are close to it.

What is particular to one photograph averages out. Yuan et al., "From poses to identity", arXiv 2503.00938, take those
that are among each other's nearest; where identities are known, so are the ones that may be averaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.rerank.shortlist import Shortlist
from nearid_search.similarity import pair_scores, unit_rows

NEAREST = 3
"""Neighbours of a view that may join it, whatever their names."""
NEAREST_SIBLINGS = 4
"""Neighbours of a view that join it where they are known to be of its identity."""


def mutual_scores(shortlist: Shortlist, *, nearest: int = NEAREST) -> NDArray[np.float32]:
    """Score a shortlist whose images are averaged with those that are among each other's nearest, whatever their names.

    Args:
        shortlist: S images of width D; neighbours are looked for among them only.
        nearest: neighbours of an image that count as near; equally near ones come in the shortlist's order.

    Returns:
        (S,) float32 in [-1, 1].
    """
    near = _nearest(shortlist, np.ones((len(shortlist.rows),) * 2, np.bool_), nearest)
    return _averaged(shortlist, near & near.T)


def sibling_scores(shortlist: Shortlist, *, nearest: int = NEAREST_SIBLINGS) -> NDArray[np.float32]:
    """Score a shortlist whose images are averaged with the nearest images of the same identity.

    Args:
        shortlist: S images of width D; neighbours are looked for among them only.
        nearest: images of the same identity that join an image, the nearest; ties as in ``mutual_scores``.

    Returns:
        (S,) float32 in [-1, 1].
    """
    return _averaged(shortlist, _nearest(shortlist, shortlist.codes[:, None] == shortlist.codes, nearest))


def _nearest(shortlist: Shortlist, candidates: NDArray[np.bool_], nearest: int) -> NDArray[np.bool_]:
    """Mark, for each image, which of its candidates (S, S) are its nearest others."""
    count = len(shortlist.rows)
    scores = shortlist.vectors.astype(np.float64) @ shortlist.vectors.T.astype(np.float64)
    scores[~candidates | np.eye(count, dtype=np.bool_)] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :nearest]
    marked = np.zeros((count, count), np.bool_)
    np.put_along_axis(marked, order, np.isfinite(np.take_along_axis(scores, order, 1)), axis=1)
    return marked


def _averaged(shortlist: Shortlist, joined: NDArray[np.bool_]) -> NDArray[np.float32]:
    means = shortlist.vectors + joined.astype(np.float64) @ shortlist.vectors
    return pair_scores(shortlist.query, unit_rows(means))
