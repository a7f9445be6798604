"""Search for galleries larger than memory: LanceDB's own index nominates, and only the nominees' vectors are read.

The index (one bit a dimension, in clusters) lives in the images table, where LanceDB masks what is deleted and scans
what was added since. It compares ten times the rows it returns in full; those are then scored like everywhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import GalleryCorruptError
from nearid_search.indexer.care.whole_tables import reading_tables
from nearid_search.indexer.search.approximate import ScanRule
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.row_keys import find_keys, key_array
from nearid_search.indexer.sql import any_of
from nearid_search.similarity import Embeddings, Rows, check_embeddings, rank_candidates, top_k

_OVERFETCH, _SPARE = 2, 16
_NPROBES = 32
_REFINE = 10
_KEYS_AT_ONCE = 2_000


class LanceBackend:
    """Searches the images table itself; holds keys in memory and no vectors.

    Args:
        rows: the gallery's rows; their vectors are not loaded.
        scan: when the table is read from one end to the other instead.
        nprobes: clusters looked into.
    """

    def __init__(self, rows: GalleryRows, *, scan: ScanRule | None = None, nprobes: int = _NPROBES) -> None:
        self._rows = rows
        self._column = rows.store.column
        self._scan = scan or ScanRule()
        self._nprobes = nprobes

    @property
    def num_rows(self) -> int:
        """Rows searched."""
        return len(self._rows)

    def search(self, queries: Embeddings, *, k: int, allowed: Rows | None = None) -> tuple[NDArray[np.float32], Rows]:
        """Return the best rows of each query that were nominated; see ``VectorBackend.search``.

        Raises:
            GalleryCorruptError: if the table cannot be read.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        checked = check_embeddings(queries, dim=self._rows.dim, name="queries")
        with reading_tables(self._rows.store.folder):
            return self._search(checked, k, allowed)

    def _search(self, checked: Embeddings, k: int, allowed: Rows | None) -> tuple[NDArray[np.float32], Rows]:
        searched = self.num_rows if allowed is None else len(allowed)
        kept = min(k, searched)
        fetch = kept * _OVERFETCH + _SPARE
        if not kept or not len(checked):
            return np.empty((len(checked), kept), np.float32), np.empty((len(checked), kept), np.int64)
        if searched <= self._scan.rows or fetch > self._scan.share * searched:
            return self._scan_table(checked, kept, allowed)
        mask = None
        if allowed is not None:
            mask = np.zeros(self.num_rows, bool)
            mask[allowed] = True
        scores = np.empty((len(checked), kept), np.float32)
        rows = np.empty((len(checked), kept), np.int64)
        lost = []
        for number in range(len(checked)):
            vectors, found = self._nominate(checked[number], min(fetch, searched), searched, mask)
            if len(found) < min(fetch, searched):
                lost.append(number)
                continue
            scores[number], places = rank_candidates(checked[number], vectors, np.arange(len(found)), k=kept)
            rows[number] = found[places]
        if lost:
            scores[lost], rows[lost] = self._scan_table(checked[lost], kept, allowed)
        return scores, rows

    def _nominate(
        self, query: NDArray[np.float32], fetch: int, searched: int, mask: NDArray[np.bool_] | None
    ) -> tuple[Embeddings, Rows]:
        """Return vectors and rows of what LanceDB finds nearest, sorted by row."""
        # A filter on rows cannot be handed over, so as many more are fetched as it will take away.
        wider = self.num_rows / searched
        found = (
            self._rows.store.images.search(query, vector_column_name=self._column)
            .distance_type("dot")
            .nprobes(math.ceil(self._nprobes * wider))
            .refine_factor(_REFINE)
            .limit(math.ceil(fetch * wider * (1 if mask is None else 2)))
            .select(["key", self._column, "_distance"])
            .to_arrow()
        )
        return self._aligned(found, mask)

    def _scan_table(self, queries: Embeddings, kept: int, allowed: Rows | None) -> tuple[NDArray[np.float32], Rows]:
        """Search exactly, a part of the table at a time."""
        best = np.empty((len(queries), 0), np.float32)
        best_rows = np.empty((len(queries), 0), np.int64)
        for vectors, rows in self._parts(allowed):
            scores, places = top_k(queries, vectors, k=kept)
            best = np.concatenate([best, scores], axis=1)
            best_rows = np.concatenate([best_rows, rows[places]], axis=1)
            order = np.lexsort((best_rows, -best), axis=1)[:, :kept]
            best, best_rows = np.take_along_axis(best, order, 1), np.take_along_axis(best_rows, order, 1)
        return best, best_rows

    def _parts(self, allowed: Rows | None) -> Iterator[tuple[Embeddings, Rows]]:
        search = self._rows.store.images.search
        if allowed is None or len(allowed) > self._scan.rows:
            mask = None
            if allowed is not None:
                mask = np.zeros(self.num_rows, bool)
                mask[allowed] = True
            for batch in search().select(["key", self._column]).to_batches():
                yield self._aligned(batch, mask)
            return
        for start in range(0, len(allowed), _KEYS_AT_ONCE):
            condition = any_of("key", [self._rows.key(row) for row in allowed[start : start + _KEYS_AT_ONCE]])
            yield self._aligned(search().where(condition).select(["key", self._column]).to_arrow(), None)

    def _aligned(self, found: Any, mask: NDArray[np.bool_] | None) -> tuple[Embeddings, Rows]:  # noqa: ANN401
        """Return the vectors of an Arrow table or batch and their rows, sorted by row, without those not allowed."""
        column = found.column(self._column)
        flat = (column.combine_chunks() if hasattr(column, "combine_chunks") else column).flatten()
        vectors = flat.to_numpy(zero_copy_only=False).reshape(-1, self._rows.dim)
        rows = find_keys(self._rows.keys, key_array(found.column("key")))
        if (rows < 0).any():
            raise GalleryCorruptError("the images table changed while it was searched: open the gallery again")
        order = np.argsort(rows)
        if mask is not None:
            order = order[mask[rows[order]]]
        return np.ascontiguousarray(vectors[order]), rows[order]
