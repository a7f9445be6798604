"""Cosine similarity on unit vectors: the exact search that every other search is tested against.

Two decisions live here. A score is always the float64 dot product of two float32 rows, rounded to float32, so the
same pair has the same score whichever backend found it and whatever else was searched with it. And the fast matrix
product only nominates candidates: everything within its rounding error of the k-th score is re-scored that way
before the cut, so the chunk size cannot change an answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError

Embeddings = NDArray[np.float32]
Rows = NDArray[np.int64]

# A little more than 2**-24, because the norm itself is rounded.
_HALF_STEP = float(np.finfo(np.float32).eps) / 2 * (1 + 1e-6)
_QUERIES_AT_ONCE = 256  # enough for the full speed of a matrix product; bounds the memory a batch takes
_ROWS_CHECKED_AT_ONCE = 65_536


def check_embeddings(
    embeddings: NDArray[np.float32], *, dim: int | None = None, name: str = "embeddings"
) -> Embeddings:
    """Return ``embeddings`` if they are a finite (N, D) float32 array.

    Args:
        embeddings: (N, D) float32; N may be 0.
        dim: the D expected, if one is.
        name: what to call the array in the message.

    Returns:
        The same array, C-contiguous.

    Raises:
        ShapeError: if the shape, the dtype or a value is wrong.
    """
    wanted = f"(N, {dim})" if dim is not None else "(N, D)"
    if embeddings.ndim != 2 or (dim is not None and embeddings.shape[1] != dim) or embeddings.shape[1] == 0:
        raise ShapeError(f"{name} must be {wanted}, got {embeddings.shape}")
    if embeddings.dtype != np.float32:
        raise ShapeError(f"{name} must be float32, got {embeddings.dtype}")
    for start in range(0, len(embeddings), _ROWS_CHECKED_AT_ONCE):
        finite = np.isfinite(embeddings[start : start + _ROWS_CHECKED_AT_ONCE]).all(axis=1)
        if not finite.all():
            raise ShapeError(f"{name} must be finite: row {start + int(np.argmin(finite))} holds NaN or infinity")
    return np.ascontiguousarray(embeddings)


def unit_rows(vectors: NDArray[np.floating]) -> Embeddings:
    """Scale every row to length 1.

    Each row is divided by its own float64 norm, so the result does not depend on the other rows. A row that is what
    this returns stays as it is, to the last bit: scaling twice changes nothing.

    Args:
        vectors: (N, D) floating point; N may be 0.

    Returns:
        (N, D) float32 with unit rows.

    Raises:
        ShapeError: if ``vectors`` is not two-dimensional or a row has no direction (zero, NaN or infinite).

    Example:
        >>> unit_rows(np.array([[3.0, 4.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    if vectors.ndim != 2:
        raise ShapeError(f"vectors must be (N, D), got {vectors.shape}")
    wide = vectors.astype(np.float64)
    norms = np.sqrt((wide * wide).sum(axis=1))
    usable = np.isfinite(norms) & (norms > 0)
    if not usable.all():
        row = int(np.argmin(usable))
        raise ShapeError(f"vectors must have a direction: row {row} has norm {norms[row]}")
    unit: Embeddings = (wide / norms[:, None]).astype(np.float32)
    # Rounding to float32 moves each component, and so the norm, by half a float32 step at most; dividing by such a norm
    # again could move a component to its neighbour.
    scaled = np.abs(norms - 1) <= _HALF_STEP
    if scaled.any():
        narrow = vectors[scaled].astype(np.float32)
        kept = (narrow == vectors[scaled]).all(axis=1)
        unit[np.flatnonzero(scaled)[kept]] = narrow[kept]
    return unit


def pair_scores(query: NDArray[np.float32], candidates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Score one query against candidates, the one definition of a score.

    Args:
        query: (D,) float32, unit length.
        candidates: (N, D) float32, unit rows.

    Returns:
        (N,) float32 in [-1, 1] up to rounding; higher is more alike.
    """
    products = candidates.astype(np.float64)
    products *= query.astype(np.float64)  # in place: a second array of this size costs more than the multiplication
    scores: NDArray[np.float32] = products.sum(axis=1).astype(np.float32)
    return scores


def row_scores(left: Embeddings, right: Embeddings, *, chunk_rows: int = 4_096) -> NDArray[np.float32]:
    """Score the first row with the first, the second with the second and so on, as ``pair_scores`` would.

    Args:
        left: (N, D) float32 unit rows.
        right: (N, D) float32 unit rows.
        chunk_rows: pairs at once; changes memory and speed, never a score.

    Returns:
        (N,) float32.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> row_scores(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[[0, 0]]).tolist()
        [1.0, 0.0]
    """
    if left.ndim != 2 or left.shape != right.shape:
        raise ShapeError(f"left and right must both be (N, D), got {left.shape} and {right.shape}")
    scores = np.empty(len(left), np.float32)
    for start in range(0, len(left), chunk_rows):
        rows = slice(start, start + chunk_rows)
        scores[rows] = (left[rows].astype(np.float64) * right[rows].astype(np.float64)).sum(axis=1)
    return scores


def rounding_slack(dim: int) -> float:
    """Bound the error of a float32 dot product of two unit vectors of width ``dim``, summed in any order.

    The classical bound is ``D * u`` with the unit round-off ``u = eps / 2`` (Higham, *Accuracy and Stability of
    Numerical Algorithms*, section 3.1); doubled because two such scores are compared.
    """
    return dim * float(np.finfo(np.float32).eps)


def rank_candidates(
    query: NDArray[np.float32], gallery: NDArray[np.float32], rows: Rows, *, k: int
) -> tuple[NDArray[np.float32], Rows]:
    """Re-score candidate rows exactly and return the best k, best first, ties by row number.

    Args:
        query: (D,) float32, unit length.
        gallery: (G, D) float32, unit rows.
        rows: (C,) row numbers of the candidates, in any order.
        k: how many to keep, at least 1.

    Returns:
        Scores and rows, both (min(k, C),).
    """
    scores = pair_scores(query, gallery[rows])
    order = np.lexsort((rows, -scores))[:k]
    return scores[order], rows[order]


def top_k(
    queries: Embeddings,
    gallery: Embeddings,
    *,
    k: int,
    allowed: Rows | None = None,
    chunk_rows: int = 16_384,
) -> tuple[NDArray[np.float32], Rows]:
    """Find the k highest-scoring gallery rows of every query, exactly, in bounded memory.

    Args:
        queries: (Q, D) float32 unit rows; Q may be 0.
        gallery: (G, D) float32 unit rows; G may be 0.
        k: how many rows a query gets, at least 1.
        allowed: (A,) sorted row numbers to search among; None means all.
        chunk_rows: gallery rows per matrix product; changes memory and speed, never the answer.

    Returns:
        Scores (Q, K) float32 and rows (Q, K) int64 with K = min(k, rows searched); best first, ties by row number.

    Raises:
        ShapeError: if the widths differ or an array is not (N, D) float32.
        ValueError: if ``k`` or ``chunk_rows`` is below 1.

    Example:
        >>> gallery = np.eye(3, dtype=np.float32)
        >>> scores, rows = top_k(gallery[:1], gallery, k=2)
        >>> rows.tolist(), scores.tolist()
        ([[0, 1]], [[1.0, 0.0]])
    """
    if k < 1 or chunk_rows < 1:
        raise ValueError(f"k and chunk_rows must be at least 1, got {k} and {chunk_rows}")
    if gallery.ndim != 2 or queries.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ShapeError(f"queries and gallery must be (Q, D) and (G, D), got {queries.shape} and {gallery.shape}")
    searched = np.arange(len(gallery), dtype=np.int64) if allowed is None else allowed
    kept = min(k, len(searched))
    scores = np.empty((len(queries), kept), np.float32)
    rows = np.empty((len(queries), kept), np.int64)
    if kept:
        for number, candidates in enumerate(_nominate(queries, gallery, searched, kept, chunk_rows, allowed is None)):
            scores[number], rows[number] = rank_candidates(queries[number], gallery, candidates, k=kept)
    return scores, rows


def _nominate(
    queries: Embeddings, gallery: Embeddings, searched: Rows, k: int, chunk_rows: int, whole: bool
) -> Iterator[Rows]:
    """Yield, for each query, every row whose float32 score is within rounding error of the k-th best."""
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        block = queries[start : start + _QUERIES_AT_ONCE]
        best = _Best(len(block), k, rounding_slack(gallery.shape[1]))
        for first in range(0, len(searched), chunk_rows):
            chunk = searched[first : first + chunk_rows]
            best.offer(block @ (gallery[first : first + chunk_rows] if whole else gallery[chunk]).T, chunk)
        yield from best.rows()


class _Best:
    """The rows that may still be among the best k of each query, as chunks of the gallery come by.

    Args:
        num_queries: queries scored together.
        k: rows a query gets.
        slack: how far below the k-th best score a row may lie and still be kept.
    """

    def __init__(self, num_queries: int, k: int, slack: float) -> None:
        self._k = k
        self._slack = slack
        self._floor = np.full(num_queries, -np.inf, np.float32)
        self._query = np.empty(0, np.int64)
        self._row = np.empty(0, np.int64)
        self._score = np.empty(0, np.float32)
        self._held = 0

    def offer(self, scores: NDArray[np.float32], chunk: Rows) -> None:
        """Keep what may count of a chunk's scores, (Q, len(chunk))."""
        if not len(self._query) and scores.shape[1] > self._k:
            cut = scores.shape[1] - self._k
            self._floor = np.partition(scores, cut, axis=1)[:, cut] - self._slack
        # NumPy finds the few that count several times as fast in one long row as in a table.
        query, place = np.divmod(np.flatnonzero(scores >= self._floor[:, None]), scores.shape[1])
        if len(query):
            self._query = np.concatenate([self._query, query])
            self._row = np.concatenate([self._row, chunk[place]])
            self._score = np.concatenate([self._score, scores[query, place]])
        # Sorting what is held each time would take longer than the product where k is large or many rows are alike.
        if len(self._query) > 2 * max(self._held, self._k * len(self._floor)):
            self._cut()

    def rows(self) -> list[Rows]:
        """Return the rows kept for each query, in any order."""
        self._cut()
        return np.split(self._row, np.searchsorted(self._query, np.arange(1, len(self._floor))))

    def _cut(self) -> None:
        """Raise each query's floor to its k-th best score so far and drop what lies below."""
        order = np.lexsort((-self._score, self._query))
        self._query, self._row, self._score = self._query[order], self._row[order], self._score[order]
        bounds = np.searchsorted(self._query, np.arange(len(self._floor) + 1))
        full = np.flatnonzero(np.diff(bounds) >= self._k)
        self._floor[full] = self._score[bounds[full] + self._k - 1] - self._slack
        keep = self._score >= self._floor[self._query]
        self._query, self._row, self._score = self._query[keep], self._row[keep], self._score[keep]
        self._held = len(self._query)
