"""The exact NumPy backend: the default for small galleries and the oracle of every other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.similarity import Embeddings, Rows, check_embeddings, top_k


class ExactBackend:
    """Scans every row.

    Args:
        gallery: (G, D) float32 unit rows; G may be 0.
    """

    def __init__(self, gallery: Embeddings) -> None:
        self._gallery = check_embeddings(gallery, name="gallery")

    @property
    def num_rows(self) -> int:
        """Rows searched."""
        return len(self._gallery)

    def search(self, queries: Embeddings, *, k: int, allowed: Rows | None = None) -> tuple[NDArray[np.float32], Rows]:
        """Return the best rows of each query; see ``VectorBackend.search``."""
        checked = check_embeddings(queries, dim=self._gallery.shape[1], name="queries")
        return top_k(checked, self._gallery, k=k, allowed=allowed)
