"""Alpha query expansion: ask again with the mean of the query and what it found.

Radenović, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", arXiv 1711.02512, section 3.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.rerank.shortlist import Shortlist
from nearid_search.similarity import pair_scores, unit_rows

FOUND, ALPHA = 5, 3.0
"""Images that join the query, and the power of their score that they weigh."""


def expanded_scores(shortlist: Shortlist, *, found: int = FOUND, alpha: float = ALPHA) -> NDArray[np.float32]:
    """Score a shortlist against the expanded query.

    Args:
        shortlist: S images of width D.
        found: of the first images, how many join the query.
        alpha: power of their score, cut off at 0, that they weigh; the query weighs 1.

    Returns:
        (S,) float32 in [-1, 1].
    """
    weights = np.maximum(shortlist.scores[:found].astype(np.float64), 0) ** alpha
    expanded = shortlist.query + weights @ shortlist.vectors[:found]
    return pair_scores(unit_rows(expanded[None])[0], shortlist.vectors)
