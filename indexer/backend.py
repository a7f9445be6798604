"""The one interface of every search backend, and how a name becomes one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ConfigError
from nearid_search.similarity import Embeddings, Rows

BACKENDS = ("auto", "exact", "faiss-flat")
_EXACT_BELOW = 50_000  # rows; below it a NumPy scan answers before FAISS is imported


class VectorBackend(Protocol):
    """Finds the gallery rows most similar to a query.

    Scores are exact (``similarity.pair_scores``) and higher is better, whatever nominated the rows.
    """

    @property
    def num_rows(self) -> int:
        """Rows searched."""
        ...

    def search(self, queries: Embeddings, *, k: int, allowed: Rows | None = None) -> tuple[NDArray[np.float32], Rows]:
        """Return the best rows of each query.

        Args:
            queries: (Q, D) float32 unit rows; Q may be 0.
            k: rows a query gets, at least 1.
            allowed: (A,) sorted row numbers to search among; None means all.

        Returns:
            Scores (Q, K) float32 and rows (Q, K) int64, K = min(k, rows searched); best first, ties by row number.

        Raises:
            ShapeError: if ``queries`` has another width.
            ValueError: if ``k`` is below 1.
        """
        ...


def make_backend(name: str, gallery: Embeddings) -> VectorBackend:
    """Build a backend over embeddings in memory.

    Args:
        name: "exact", "faiss-flat", or "auto" (exact below 50,000 rows, FAISS from there).
        gallery: (G, D) float32 unit rows; G may be 0.

    Raises:
        ConfigError: if the name is unknown, or two builds of FAISS are installed.
        MissingExtraError: if FAISS is not installed.
    """
    if name not in BACKENDS:
        raise ConfigError(f"unknown backend {name!r}: use one of {', '.join(BACKENDS)}")
    if name == "exact" or (name == "auto" and len(gallery) < _EXACT_BELOW):
        from nearid_search.indexer.exact import ExactBackend

        return ExactBackend(gallery)
    from nearid_search.indexer.faiss_flat import FaissFlatBackend

    return FaissFlatBackend(gallery)
