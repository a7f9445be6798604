"""From image hits to ranked identities.

An identity scores as its best view. Hits are fetched until one identity more than asked for is known: no image left
out can then belong to a better identity, so the order, the margin and the support are exact and do not depend on how
far was looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.backend import VectorBackend
from nearid_search.similarity import Embeddings, Rows

_FIRST_FETCH = 32


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
    """Rank identities by their best view, for one query; see ``rank_identities_of_many``.

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
    (ranked,) = rank_identities_of_many(backend, query, codes, k=k, allowed=allowed)
    return ranked


def rank_identities_of_many(
    backend: VectorBackend, queries: Embeddings, codes: NDArray[np.int64], *, k: int, allowed: Rows | None = None
) -> list[list[RankedIdentity]]:
    """Rank identities by their best view, for a block of queries searched together.

    A query's answer does not depend on the others: the backend's scores and ties are exact in any company.

    Args:
        backend: what to search with.
        queries: (Q, D) float32 unit rows; Q may be 0.
        codes: (G,) identity number of every gallery row.
        k: identities wanted, at least 1.
        allowed: (A,) sorted rows to search among; None means all.

    Returns:
        For each query up to k + 1 identities, as ``rank_identities`` returns them.

    Raises:
        ValueError: if ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    answers: list[list[RankedIdentity]] = [[] for _ in queries]
    searched = backend.num_rows if allowed is None else len(allowed)
    pending = np.arange(len(queries) if searched else 0)
    fetch = min(searched, max(_FIRST_FETCH, 4 * (k + 1)))
    while len(pending):
        block = queries if len(pending) == len(queries) else queries[pending]
        scores, rows = backend.search(block, k=fetch, allowed=allowed)
        for place, number in enumerate(pending):
            answers[number] = group_hits(scores[place], rows[place], codes[rows[place]], k=k + 1)
        # Hits may still be missing while the last identity wanted is not followed by another one.
        pending = pending[[fetch < searched and len(answers[number]) <= k for number in pending]]
        fetch = min(searched, 4 * fetch)
    return answers


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
    _, first = np.unique(codes, return_index=True)
    starts: Sequence[int] = sorted(first.tolist())
    ranked = []
    for place, start in enumerate(starts[:k]):
        stop = starts[place + 1] if place + 1 < len(starts) else len(codes)
        own = start + np.flatnonzero(codes[start:stop] == codes[start])
        ranked.append(RankedIdentity(int(codes[start]), rows[own], scores[own]))
    return ranked
