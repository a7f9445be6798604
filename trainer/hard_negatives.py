"""Which identities the head confuses now, found through the same search that answers queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.search.backend import make_backend
from nearid_search.similarity import Embeddings, unit_rows


def nearest_identities(views: Sequence[Embeddings], *, k: int) -> NDArray[np.int64]:
    """Find the identities whose mean embeddings are nearest to each identity's.

    Args:
        views: (V, D) float32 unit rows of each identity, V >= 1.
        k: neighbours wanted.

    Returns:
        (I, min(k, I - 1)) numbers of other identities, nearest first.
    """
    centres = unit_rows(np.stack([rows.astype(np.float64).sum(axis=0) for rows in views]))
    _, found = make_backend("auto", centres).search(centres, k=min(k, len(centres) - 1) + 1)
    # An identity is nearly always its own nearest; where a twin ties with it, the last column goes instead.
    others = [row[row != number][: found.shape[1] - 1] for number, row in enumerate(found)]
    return np.stack(others)


def fill_batch(chosen: NDArray[np.int64], neighbours: NDArray[np.int64], *, share: float) -> NDArray[np.int64]:
    """Replace the end of a batch by the nearest neighbours of its beginning, each identity once.

    Args:
        chosen: (B,) identities drawn by chance.
        neighbours: from ``nearest_identities``.
        share: of the batch to fill with neighbours, in [0, 1).

    Returns:
        (B,) identities: the first ones of ``chosen``, then their neighbours in turn, then what is still missing from
        the rest of ``chosen``.
    """
    num_seeds = max(len(chosen) - round(share * len(chosen)), 1)
    seeds = chosen[:num_seeds]
    candidates = [*seeds.tolist(), *neighbours[seeds].T.ravel().tolist(), *chosen[num_seeds:].tolist()]
    return np.array(list(dict.fromkeys(candidates))[: len(chosen)], np.int64)
