"""Generated embeddings, easy and hard to rank."""

import numpy as np

from nearid_search.similarity import Embeddings, unit_rows


def random_rows(seed: int, count: int, dim: int = 16) -> Embeddings:
    """Rows in random directions."""
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)).reshape(count, dim))


def crowded_rows(seed: int, count: int, dim: int = 64) -> Embeddings:
    """Rows so close together that float32 cannot tell their scores apart reliably, with exact duplicates."""
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng.normal(size=dim) + 1e-6 * rng.normal(size=(count, dim)))
    rows[count // 2 :: 3] = rows[0]
    return rows
