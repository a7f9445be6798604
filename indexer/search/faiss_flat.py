"""FAISS's flat index: the same scan as the exact backend, in C++ and on every core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.search.faiss_install import import_faiss
from nearid_search.similarity import Embeddings, Rows, check_embeddings, rank_candidates, rounding_slack, top_k

_OVERFETCH = 16


class FaissFlatBackend:
    """Scans every row with FAISS and re-scores the candidates exactly.

    FAISS rounds differently from ``similarity.pair_scores``, so it fetches until the last row lies below the k-th
    score by more than the rounding error; the cut after re-scoring is then the exact one.

    FAISS scans query by query, many times slower, until a batch holds ``distance_compute_blas_threshold``
    numbers, and always where rows are selected. The threshold is a setting of the whole process, so it is left alone;
    what would fall under it goes through ``similarity.top_k`` over the same rows.

    Args:
        gallery: (G, D) float32 unit rows; G may be 0.

    Raises:
        ConfigError: if two builds of FAISS are installed.
        MissingExtraError: if none is.
    """

    def __init__(self, gallery: Embeddings) -> None:
        faiss = import_faiss("the faiss-flat backend")
        self._faiss = faiss
        checked = check_embeddings(gallery, name="gallery")
        self._index: Any = faiss.IndexFlatIP(checked.shape[1])
        self._index.add(checked)
        # The index owns the only copy; this is a view of it.
        self._gallery: Embeddings = (
            faiss.rev_swig_ptr(self._index.get_xb(), checked.size).reshape(checked.shape) if len(checked) else checked
        )

    @property
    def num_rows(self) -> int:
        """Rows searched."""
        return len(self._gallery)

    def search(self, queries: Embeddings, *, k: int, allowed: Rows | None = None) -> tuple[NDArray[np.float32], Rows]:
        """Return the best rows of each query; see ``VectorBackend.search``."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        checked = check_embeddings(queries, dim=self._gallery.shape[1], name="queries")
        searched = self.num_rows if allowed is None else len(allowed)
        if len(checked) > 1 and (
            allowed is not None or checked.size < self._faiss.cvar.distance_compute_blas_threshold
        ):
            return top_k(checked, self._gallery, k=k, allowed=allowed)
        kept = min(k, searched)
        scores = np.empty((len(checked), kept), np.float32)
        rows = np.empty((len(checked), kept), np.int64)
        if kept:
            for number, candidates in enumerate(self._nominate(checked, kept, searched, allowed)):
                scores[number], rows[number] = rank_candidates(checked[number], self._gallery, candidates, k=kept)
        return scores, rows

    def _nominate(self, queries: Embeddings, kept: int, searched: int, allowed: Rows | None) -> list[Rows]:
        options: dict[str, Any] = {}
        if allowed is not None:
            mask = np.zeros(self.num_rows, bool)
            mask[allowed] = True
            bits = np.packbits(mask, bitorder="little")
            options["params"] = self._faiss.SearchParameters(sel=self._faiss.IDSelectorBitmap(bits))
        # faiss.contrib.torch_utils, which other libraries import, replaces `search` by one that takes no parameters and
        # keeps the original under this name.
        search = getattr(self._index, "search_numpy", self._index.search)
        slack = rounding_slack(self._gallery.shape[1])
        fetch = min(searched, kept + _OVERFETCH)
        nominated: list[Rows] = [np.empty(0, np.int64)] * len(queries)
        unsettled = np.arange(len(queries))
        while len(unsettled):
            scores, rows = search(queries[unsettled], fetch, **options)
            for number, found in zip(unsettled, rows, strict=True):
                nominated[number] = np.asarray(found, np.int64)
            if fetch == searched:
                break
            unsettled = unsettled[scores[:, -1] >= scores[:, kept - 1] - slack]
            fetch = min(searched, 2 * fetch)
        return nominated
