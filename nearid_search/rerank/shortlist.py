"""What a rung of re-ranking sees: the query, and the images that plain search puts first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.search.backend import VectorBackend
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.similarity import Embeddings, Rows

SHORTLIST = 50
"""Images a rung may look at."""


class Shortlist(NamedTuple):
    """The images that plain search puts first for one query.

    Attributes:
        query: (D,) float32, unit length.
        rows: (S,) gallery rows, best first.
        scores: (S,) float32, descending.
        codes: (S,) identity of each.
        vectors: (S, D) float32 unit rows.
    """

    query: NDArray[np.float32]
    rows: Rows
    scores: NDArray[np.float32]
    codes: NDArray[np.int64]
    vectors: Embeddings


def take_shortlist(
    backend: VectorBackend,
    gallery: GalleryRows,
    query: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    allowed: Rows | None = None,
    without: int | None = None,
    size: int = SHORTLIST,
) -> Shortlist:
    """Search for a query's shortlist.

    Args:
        backend: what to search with.
        gallery: where the embeddings of what was found are read from.
        query: (D,) float32, unit length.
        codes: (G,) identity of every gallery row.
        allowed: (A,) sorted rows to search among; None means all.
        without: a row to leave out, such as the query's own.
        size: most images it holds, at least 1.
    """
    scores, rows = (found[0] for found in backend.search(query[None], k=size + (without is not None), allowed=allowed))
    kept = np.flatnonzero(rows != without)[:size]
    return Shortlist(query, rows[kept], scores[kept], codes[rows[kept]], gallery.vectors_of(rows[kept]))
