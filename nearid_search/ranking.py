"""From image hits to ranked identities.

An identity scores as its best view. Hits are fetched until one identity more than asked for is known: no image left
out can then belong to a better identity, so the order, the margin and the support are exact and do not depend on how
far was looked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.indexer.search.backend import VectorBackend
from nearid_search.similarity import Embeddings, Rows

FIRST_FETCH = 32
"""Hits fetched at first, at least; seldom does one identity have them all."""


Hidden = Callable[[int, Rows], NDArray[np.bool_]]
"""Given the number of a query and rows found for it, says which of them it must not see."""

_NO_DIRECTION = 1e-6
_HITS_AT_ONCE = 4_000_000  # bounds the memory of a batch where hundreds of views of one identity come first


class RankedIdentity(NamedTuple):
    """One identity in rank order.

    Attributes:
        code: number of the identity.
        rows: (S,) gallery rows of its supporting views, best first; S >= 1.
        scores: (S,) their scores.
    """

    code: int
    rows: Rows
    scores: NDArray[np.float32]


def rank_identities(
    backend: VectorBackend, query: Embeddings, codes: NDArray[np.int64], *, k: int, allowed: Rows | None = None
) -> list[RankedIdentity]:
    """Rank identities by their best view, for one query; see ``rank_many``.

    Args:
        backend: what to search with.
        query: (1, D) float32 unit row.
        codes: (G,) identity number of every gallery row.
        k: identities wanted, at least 1.
        allowed: (A,) sorted rows to search among; None means all.

    Returns:
        Up to k + 1 identities, best first: the one past k gives the last margin and support. A supporting view scores
        above every view of all lower-ranked identities that are listed.

    Raises:
        ValueError: if ``k`` is below 1.
    """
    return rank_many(backend, query, codes, k=k, allowed=allowed)[0]


def rank_many(
    backend: VectorBackend,
    queries: Embeddings,
    codes: NDArray[np.int64],
    *,
    k: int,
    allowed: Rows | None = None,
    hidden: Hidden | None = None,
) -> list[list[RankedIdentity]]:
    """Rank identities for every query of a batch, as ``rank_identities`` does for one.

    The batch is searched as one; only queries whose identities are not certain yet are searched again, farther.

    Args:
        backend: what to search with.
        queries: (Q, D) float32 unit rows; Q may be 0.
        codes: (G,) identity number of every gallery row.
        k: identities wanted, at least 1.
        allowed: (A,) sorted rows to search among; None means all.
        hidden: which rows a single query must not see, such as its own; None means that it sees all.

    Returns:
        Up to k + 1 identities for each query, best first.

    Raises:
        ValueError: if ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    ranked: list[list[RankedIdentity]] = [[] for _ in queries]
    searched = backend.num_rows if allowed is None else len(allowed)
    fetch = min(searched, max(FIRST_FETCH, 4 * (k + 1)))
    uncertain = np.arange(len(queries)) if searched else np.empty(0, np.int64)
    while len(uncertain):
        at_once = max(1, _HITS_AT_ONCE // fetch)
        for start in range(0, len(uncertain), at_once):
            numbers = uncertain[start : start + at_once]
            scores, rows = backend.search(queries[numbers], k=fetch, allowed=allowed)
            for number, own_scores, own_rows in zip(numbers.tolist(), scores, rows, strict=True):
                if hidden is not None:
                    seen = ~hidden(number, own_rows)
                    own_scores, own_rows = own_scores[seen], own_rows[seen]
                ranked[number] = group_hits(own_scores, own_rows, codes[own_rows], k=k + 1)
        if fetch == searched:
            break
        # Hits may still be missing while the last identity wanted is not followed by another one.
        uncertain = np.asarray([number for number in uncertain.tolist() if len(ranked[number]) <= k], np.int64)
        fetch = min(searched, 4 * fetch)
    return ranked


def mean_of_set(queries: Embeddings) -> tuple[NDArray[np.float32], float]:
    """Return the one query that several pictures of the same thing ask together.

    The mean of an image's scores with them is its score with their mean. That is shorter than any of them, so a
    stranger scores no higher than its pictures do alone, on average.

    Args:
        queries: (Q, D) float32 unit rows, Q at least 1.

    Returns:
        (D,) float32, the unit direction of the mean, and the mean's length in (0, 1]. A single row comes back as it is.

    Raises:
        ShapeError: if there is no query, or the queries are opposites, so that their mean has no direction.
    """
    if len(queries) == 1:
        return queries[0], 1.0
    mean = queries.astype(np.float64).mean(axis=0) if len(queries) else np.zeros(1)
    length = float(np.linalg.norm(mean))
    if length < _NO_DIRECTION:
        raise ShapeError(
            f"queries must be one or more and not opposites, got {len(queries)} with a mean of {length:.1g}"
        )
    return (mean / length).astype(np.float32), length


def rank_set(
    backend: VectorBackend, queries: Embeddings, codes: NDArray[np.int64], *, k: int, allowed: Rows | None = None
) -> list[RankedIdentity]:
    """Rank identities for several queries that show the same thing: a view scores as the mean of its scores with them.

    Args:
        backend: what to search with.
        queries: (Q, D) float32 unit rows, Q at least 1.
        codes: (G,) identity number of every gallery row.
        k: identities wanted, at least 1.
        allowed: (A,) sorted rows to search among; None means all.

    Returns:
        Up to k + 1 identities, best first, as ``rank_identities`` gives them.

    Raises:
        ShapeError: as ``mean_of_set`` does.
        ValueError: if ``k`` is below 1.
    """
    query, length = mean_of_set(queries)
    ranked = rank_identities(backend, query[None], codes, k=k, allowed=allowed)
    return [identity._replace(scores=(identity.scores * length).astype(np.float32)) for identity in ranked]


def margin_of(ranked: list[RankedIdentity]) -> float | None:
    """Return the score of the leading identity less the best score of any other; None if there is no other.

    Example:
        >>> one, two = (RankedIdentity(code, np.arange(1), np.float32([code / 4])) for code in (1, 2))
        >>> margin_of([two, one]), margin_of([one, two]), margin_of([one])
        (0.25, -0.25, None)
    """
    if len(ranked) < 2:
        return None
    return float(ranked[0].scores[0] - max(identity.scores[0] for identity in ranked[1:]))


def group_hits(scores: NDArray[np.float32], rows: Rows, codes: NDArray[np.int64], *, k: int) -> list[RankedIdentity]:
    """Group ranked hits by identity.

    Args:
        scores: (H,) descending.
        rows: (H,) gallery rows.
        codes: (H,) identity of each hit.
        k: identities to keep.

    Returns:
        Up to k identities, best first, each with the views that score above the best view of the next one.

    Example:
        >>> ranked = group_hits(np.float32([0.9, 0.8, 0.7, 0.6]), np.arange(4), np.array([5, 5, 3, 5]), k=2)
        >>> [(identity.code, identity.rows.tolist()) for identity in ranked]
        [(5, [0, 1]), (3, [2])]
    """
    # Plain lists: for the few dozen hits of one query NumPy's calls would take longer than the search itself.
    numbers = codes.tolist()
    first: dict[int, int] = {}
    for place, code in enumerate(numbers):
        if code not in first:
            first[code] = place
            if len(first) > k:  # where the last one kept ends
                break
    kept = list(first.items())[:k]
    stops = [*list(first.values())[1:], len(numbers)][: len(kept)]  # where there is no hit nothing ends
    ranked = []
    for (code, start), stop in zip(kept, stops, strict=True):
        own = [place for place in range(start, stop) if numbers[place] == code]
        ranked.append(RankedIdentity(code, rows[own], scores[own]))
    return ranked
