"""Seeded vectors that are hard to tell apart: many identities of few kinds, each seen several times.

Ordinary benchmark data is well separated, and every index finds the nearest row of it. A gallery of near-identical
things is not: rows of one kind lie close together, and what sets an identity apart is small against what sets two of
its views apart. An index that rounds a row loses the order there first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.similarity import Embeddings, unit_rows

VIEWS = 10
IDENTITIES_PER_KIND = 100
_SPREAD_OF_KIND = 1.0
_BLOCK = 20_000


@dataclass(frozen=True)
class Lookalikes:
    """A gallery and queries of known identity.

    Attributes:
        gallery: (G, D) float32 unit rows.
        codes: (G,) identity of each row.
        queries: (Q, D) float32 unit rows, new views of identities in the gallery.
        query_codes: (Q,) identity of each query.
    """

    gallery: Embeddings
    codes: NDArray[np.int64]
    queries: Embeddings
    query_codes: NDArray[np.int64]


def make_lookalikes(rows: int, dim: int, *, queries: int, offset: float = 0.45, seed: int = 0) -> Lookalikes:
    """Draw a gallery: kind + offset of the identity + noise of the view, each row scaled to length 1.

    Args:
        rows: of the gallery, a multiple of ``VIEWS``.
        dim: width of a row.
        queries: at most ``rows / VIEWS``.
        offset: length of an identity's offset, where the noise of a view has length 1; the smaller the harder.
            At the default, in 60,000 rows of 256, the nearest row of a query is of its identity in about 8 of 10.
        seed: decides everything; a larger gallery begins with the rows of a smaller one.

    Raises:
        ValueError: if a number does not fit.
    """
    if rows % VIEWS or not 1 <= queries <= rows // VIEWS:
        raise ValueError(
            f"rows must be a multiple of {VIEWS} and queries 1 to rows / {VIEWS}, got {rows} and {queries}"
        )
    identities = rows // VIEWS
    gallery = np.empty((rows, dim), np.float32)
    for start in range(0, rows, _BLOCK):
        stop = min(start + _BLOCK, rows)
        codes = np.arange(start, stop) // VIEWS
        gallery[start:stop] = _views(codes, dim, offset, np.random.default_rng([seed, 2, start]), seed)
    asked = np.random.default_rng([seed, 3]).choice(identities, queries, replace=False)
    asked.sort()
    drawn = _views(asked, dim, offset, np.random.default_rng([seed, 4]), seed)
    return Lookalikes(gallery, np.arange(rows) // VIEWS, drawn, asked)


def _views(codes: NDArray[np.int64], dim: int, offset: float, rng: np.random.Generator, seed: int) -> Embeddings:
    """Draw one view of each identity in ``codes``, which is sorted."""
    distinct, place = np.unique(codes, return_inverse=True)
    middles = np.stack([_middle(code, dim, offset, seed) for code in distinct.tolist()])
    noise = rng.standard_normal((len(codes), dim)) / np.sqrt(dim)
    return unit_rows(middles[place] + noise)


def _middle(code: int, dim: int, offset: float, seed: int) -> NDArray[np.float64]:
    kind = np.random.default_rng([seed, 0, code // IDENTITIES_PER_KIND]).standard_normal(dim)
    own = np.random.default_rng([seed, 1, code]).standard_normal(dim)
    middle: NDArray[np.float64] = (_SPREAD_OF_KIND * kind + offset * own) / np.sqrt(dim)
    return middle
