"""Generated embeddings, easy and hard to rank."""

import numpy as np
from numpy.typing import NDArray

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


def look_alikes(
    seed: int, num_identities: int, views: int = 6, dim: int = 32, *, offset: float = 0.35, noise: float = 0.45
) -> tuple[Embeddings, NDArray[np.int64]]:
    """Identities in families of twenty: members differ by little more than the views of one of them do."""
    rng = np.random.default_rng(seed)
    families = rng.normal(size=(-(-num_identities // 20), dim))
    things = np.repeat(families, 20, axis=0)[:num_identities] + offset * rng.normal(size=(num_identities, dim))
    codes = np.repeat(np.arange(num_identities), views)
    order = rng.permutation(len(codes))
    rows = things[codes] + noise * rng.normal(size=(len(codes), dim))
    return unit_rows(rows[order]), codes[order]
