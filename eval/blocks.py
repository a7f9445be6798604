"""Work on many rows block by block, so that memory grows with the rows and what is found, never with their product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.similarity import Embeddings, Rows, row_scores

_QUERY_ROWS = 256  # a search
_PAIRS = 4_096  # gathered at once
_CHECKED_ROWS = 65_536
_NORM_TOLERANCE = 1e-3  # what storage in float16 may have cost

Scores = NDArray[np.float32]


def check_unit_rows(embeddings: Embeddings, name: str = "embeddings") -> None:
    """Refuse what is no array of unit rows.

    Args:
        embeddings: (N, D) float32; N may be 0. May be a memory map.
        name: what to call it in the message.

    Raises:
        ShapeError: if it is not as described; the first row without unit length, NaN included, is named.
    """
    if embeddings.ndim != 2 or embeddings.dtype != np.float32 or embeddings.shape[1] == 0:
        raise ShapeError(f"{name} must be (N, D) float32, got {embeddings.shape} {embeddings.dtype}")
    for start in range(0, len(embeddings), _CHECKED_ROWS):
        part = embeddings[start : start + _CHECKED_ROWS]
        norms = np.sqrt(np.einsum("nd,nd->n", part, part))
        unit = np.abs(norms - 1) <= _NORM_TOLERANCE
        if not unit.all():
            row = int(np.argmin(unit))
            raise ShapeError(f"{name} must be unit rows: row {start + row} has length {norms[row]}; see unit_rows")


def search_rows(
    search: Callable[[Embeddings], tuple[Scores, Rows]], embeddings: Embeddings, rows: Rows
) -> tuple[Scores, Rows]:
    """Search with some of the rows of an array, a block of them at a time.

    Args:
        search: takes (B, D) queries, gives (B, K) scores and rows; the same K for every block.
        embeddings: (R, D) float32 unit rows.
        rows: (Q,) which to search with; Q may be 0.

    Returns:
        Scores and rows, both (Q, K).
    """
    starts = range(0, max(len(rows), 1), _QUERY_ROWS)  # without queries one search says how wide an answer is
    found = [search(embeddings[rows[start : start + _QUERY_ROWS]]) for start in starts]
    scores, hits = zip(*found, strict=True)
    return np.concatenate(scores), np.concatenate(hits)


def score_rows(embeddings: Embeddings, left: Rows, right: Rows) -> Scores:
    """Score pairs of rows of an array, as ``row_scores`` does.

    Args:
        embeddings: (R, D) float32 unit rows.
        left: (N,) one row of each pair.
        right: (N,) the other.

    Returns:
        (N,) float32.

    Example:
        >>> score_rows(np.eye(2, dtype=np.float32), np.array([0, 0]), np.array([0, 1])).tolist()
        [1.0, 0.0]
    """
    scores = np.empty(len(left), np.float32)
    for start in range(0, len(left), _PAIRS):
        part = slice(start, start + _PAIRS)
        scores[part] = row_scores(embeddings[left[part]], embeddings[right[part]])
    return scores
