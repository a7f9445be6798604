"""What pictures of one identity usually score with each other in a gallery: the measure of every suspicion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.review.view_neighbours import draw_views, scores_within
from nearid_search.indexer.search.index_rows import GalleryRows

LEAST_FOR_OUTLIERS = 20
"""Views of identities that have two or more, to call one of them an outlier."""

_VIEWS = 2_000
_WHISKER = 1.5  # of Tukey's fences


class UsualScores(NamedTuple):
    """What a view scores with the nearest other view of its identity, over many views.

    Attributes:
        median: from it on views of two identities look like those of one.
        fence: below it a view is an outlier: the lower quartile less 1.5 times the distance of the quartiles; -inf if
            there are too few views to say.
    """

    median: float
    fence: float


def usual_scores(rows: GalleryRows, codes: NDArray[np.int64], *, seed: int) -> UsualScores | None:
    """Look at up to 2,000 views, about, of identities that have several.

    Args:
        rows: the gallery's rows.
        codes: (G,) identity number of each.
        seed: of the draw.

    Returns:
        What is usual; None if no identity has two views.
    """
    several = np.flatnonzero(np.bincount(codes)[codes] > 1)
    chosen = draw_views(codes, views=_VIEWS, seed=seed, among=several)
    if not chosen:
        return None
    best = np.concatenate([scores_within(rows.vectors_of(views)).max(axis=1) for views in chosen.values()])
    low, median, high = np.quantile(best, [0.25, 0.5, 0.75])
    fence = low - _WHISKER * (high - low) if len(best) >= LEAST_FOR_OUTLIERS else -np.inf
    return UsualScores(float(median), float(fence))
