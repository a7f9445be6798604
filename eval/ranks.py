"""Exact ranks of relevant gallery items, for galleries of any size, in bounded memory.

A tie loses: a wrong item with a score equal to that of a relevant one stands above it. As in ``similarity.top_k``, the
fast matrix product only sorts out what is clear. Where a product is within its rounding error of the score of a
relevant item, the pair is scored exactly, so the size of the chunks cannot change a rank.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.eval.blocks import check_unit_rows
from nearid_search.eval.metrics.ranked import RelevantRanks
from nearid_search.similarity import Embeddings, Rows, pair_scores, rounding_slack

_QUERY_ROWS = 256  # queries per matrix product


def relevant_ranks(
    queries: Embeddings,
    query_codes: NDArray[np.int64],
    gallery: Embeddings,
    gallery_codes: NDArray[np.int64],
    *,
    exclude: NDArray[np.int64] | None = None,
    chunk_rows: int = 65_536,
) -> RelevantRanks:
    """Rank the whole gallery for every query and return where the items of the query's identity stand.

    The rank of a relevant item is 1 + the wrong items that score as high or higher + the relevant items above it,
    which are ordered among themselves by score, then by row.

    Args:
        queries: (Q, D) float32 unit rows; Q may be 0.
        query_codes: (Q,) int64 code of each query's identity, at least 0.
        gallery: (G, D) float32 unit rows; G may be 0. May be a memory map.
        gallery_codes: (G,) int64 code of each item's identity; -1 belongs to none and is relevant to no query.
        exclude: (Q,) int64 gallery row that is the query itself and is left out of its ranking; -1 for none.
        chunk_rows: gallery rows per matrix product; changes memory and speed, never a rank. A product takes
            ``1 KiB * chunk_rows``.

    Returns:
        The ranks; a query without relevant items is lone and has none.

    Raises:
        ShapeError: if an array is not as described; the first row without unit length, NaN included, is named.
        ValueError: if ``chunk_rows`` is below 1.

    Example:
        >>> gallery = np.eye(3, dtype=np.float32)
        >>> relevant_ranks(gallery[:1], np.array([7]), gallery, np.array([7, 5, 7])).ranks.tolist()
        [1, 3]
    """
    if chunk_rows < 1:
        raise ValueError(f"chunk_rows must be at least 1, got {chunk_rows}")
    exclude = np.full(len(queries), -1, np.int64) if exclude is None else exclude
    check_unit_rows(queries, "queries")
    check_unit_rows(gallery, "gallery")
    if queries.shape[1] != gallery.shape[1]:
        raise ShapeError(f"queries and gallery must have one width, got {queries.shape} and {gallery.shape}")
    _check_codes(query_codes, "query_codes", len(queries), lowest=0)
    _check_codes(gallery_codes, "gallery_codes", len(gallery), lowest=-1)
    _check_codes(exclude, "exclude", len(queries), lowest=-1, highest=len(gallery) - 1)
    by_code = np.argsort(gallery_codes, kind="stable")
    sorted_codes = gallery_codes[by_code]
    counts, ranks = [np.zeros(1, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(queries), _QUERY_ROWS):
        part = slice(start, start + _QUERY_ROWS)
        relevant = _relevant_rows(query_codes[part], exclude[part], by_code, sorted_codes)
        counts.append(np.array([len(rows) for rows in relevant]))
        ranks += _ranks_of(queries[part], gallery, relevant, exclude[part], chunk_rows)
    return RelevantRanks(np.concatenate(ranks), np.cumsum(np.concatenate(counts)), len(gallery))


def _relevant_rows(
    codes: NDArray[np.int64], exclude: Rows, by_code: Rows, sorted_codes: NDArray[np.int64]
) -> list[Rows]:
    """Return the rows, ascending, that each query should find."""
    starts, ends = (np.searchsorted(sorted_codes, codes, side=side) for side in ("left", "right"))
    found = [by_code[start:end] for start, end in zip(starts, ends, strict=True)]
    return [rows[rows != own] for rows, own in zip(found, exclude, strict=True)]


def _ranks_of(
    queries: Embeddings, gallery: Embeddings, relevant: list[Rows], exclude: Rows, chunk_rows: int
) -> list[NDArray[np.int64]]:
    """Return the ranks of the relevant rows of some queries, ascending."""
    scores = [np.sort(pair_scores(query, gallery[rows])) for query, rows in zip(queries, relevant, strict=True)]
    asked = np.flatnonzero([len(rows) > 0 for rows in relevant])
    wrong_above = [np.zeros(len(rows), np.int64) for rows in relevant]
    # What is not to be counted: the relevant rows themselves and the query's own picture.
    hidden = [np.append(rows, own) for rows, own in zip(relevant, exclude, strict=True)]
    hidden_rows = np.concatenate([hidden[number] for number in asked]) if len(asked) else np.zeros(0, np.int64)
    hidden_of = np.repeat(np.arange(len(asked)), [len(hidden[number]) for number in asked])
    for start in range(0, len(gallery) if len(asked) else 0, chunk_rows):
        chunk = gallery[start : start + chunk_rows]
        block = queries[asked] @ chunk.T
        here = (hidden_rows >= start) & (hidden_rows < start + len(chunk))
        block[hidden_of[here], hidden_rows[here] - start] = -np.inf
        for row, number in zip(block, asked, strict=True):
            wrong_above[number] += _count_at_least(scores[number], row, queries[number], chunk)
    # Best first, each stands below the wrong items above it and the relevant ones before it.
    return [above[::-1] + np.arange(1, len(above) + 1) for above in wrong_above]


def _count_at_least(
    thresholds: NDArray[np.float32], products: NDArray[np.float32], query: NDArray[np.float32], chunk: Embeddings
) -> NDArray[np.int64]:
    """Count for each of the ascending thresholds the rows of a chunk whose exact score reaches it."""
    slack = rounding_slack(len(query) + 1)
    near = np.flatnonzero(products >= thresholds[0] - slack)
    if not len(near):
        return np.zeros(len(thresholds), np.int64)
    values = products[near]
    bounds = np.concatenate([[-np.inf], thresholds, [np.inf]])
    reached = np.searchsorted(thresholds, values, side="right")
    doubtful = np.flatnonzero((values - bounds[reached] <= slack) | (bounds[reached + 1] - values <= slack))
    exact = pair_scores(query, chunk[near[doubtful]])
    reached[doubtful] = np.searchsorted(thresholds, exact, side="right")
    # A row that reaches the n lowest thresholds counts for each of them.
    return np.bincount(reached, minlength=len(bounds) - 1)[:0:-1].cumsum()[::-1]


def _check_codes(
    codes: NDArray[np.int64], name: str, count: int, *, lowest: int, highest: int = np.iinfo(np.int64).max
) -> None:
    if codes.shape != (count,) or codes.dtype != np.int64:
        raise ShapeError(f"{name} must be ({count},) int64, got {codes.shape} {codes.dtype}")
    outside = (codes < lowest) | (codes > highest)
    if outside.any():
        row = int(np.argmax(outside))
        raise ShapeError(f"{name} must be from {lowest} to {highest}: row {row} is {codes[row]}")
