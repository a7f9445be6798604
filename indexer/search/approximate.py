"""Search through an approximate index that only nominates: the scores, the order and the ties are exact.

An index names more rows than are wanted, and ``similarity.rank_candidates`` ranks them by the stored float32 vectors.
Where an index is no help the rows are scanned instead: few rows to search among, a large part of them wanted, rows that
were added after it was built, and queries for which it named fewer rows than it was asked for.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.search.checked_vectors import CheckedVectors
from nearid_search.indexer.search.index_recipe import SearchSettings
from nearid_search.similarity import Embeddings, Rows, check_embeddings, rank_candidates, top_k

_SPARE = 16
_QUERIES_AT_ONCE = 1_024


class ScanRule(NamedTuple):
    """When rows are scanned although there is an index.

    Attributes:
        rows: up to this many rows to search among; one matrix product scores them all.
        share: when more than this share of them would be nominated.
    """

    rows: int = 16_384
    share: float = 0.25


class Nominator(Protocol):
    """What an index has to do here; see ``AnnIndex``."""

    @property
    def num_positions(self) -> int:
        """Vectors in it."""
        ...

    @property
    def dim(self) -> int:
        """Width of a vector."""
        ...

    def nominate(
        self, queries: Embeddings, *, fetch: int, settings: SearchSettings, mask: NDArray[np.bool_] | None = None
    ) -> Rows:
        """Name positions, (Q, fetch), that may be among the nearest, -1 where there are too few."""
        ...


class ApproximateBackend:
    """Lets an index nominate rows and re-scores them exactly.

    Args:
        gallery: (G, D) float32 unit rows; G may be 0. Those of a file are checked as they are needed.
        index: what nominates.
        settings: how far it looks.
        row_of: (N,) gallery row of each position of the index, -1 if the row is gone; None if they are the same.
        scan: when to do without it.

    Raises:
        ShapeError: if ``gallery`` is no (G, D) float32, or the index has vectors of another width.
    """

    def __init__(
        self,
        gallery: Embeddings | CheckedVectors,
        index: Nominator,
        *,
        settings: SearchSettings | None = None,
        row_of: Rows | None = None,
        scan: ScanRule | None = None,
    ) -> None:
        self._gallery = (
            gallery if isinstance(gallery, CheckedVectors) else check_embeddings(gallery, dim=index.dim, name="gallery")
        )
        self._index = index
        self.settings = settings or SearchSettings()
        self._row_of = np.arange(index.num_positions, dtype=np.int64) if row_of is None else row_of
        self._scan = scan or ScanRule()
        alive = self._row_of >= 0
        self._alive: NDArray[np.bool_] | None = None if alive.all() else alive
        waiting = np.ones(len(gallery), bool)
        waiting[self._row_of[alive]] = False
        self._waiting: Rows = np.flatnonzero(waiting)

    @property
    def index(self) -> Nominator:
        """What nominates."""
        return self._index

    @property
    def num_rows(self) -> int:
        """Rows searched."""
        return len(self._gallery)

    @property
    def num_waiting(self) -> int:
        """Rows that the index lacks, and that are scanned."""
        return len(self._waiting)

    @property
    def scans_everything(self) -> bool:
        """Whether there are so few rows that the index is never asked."""
        return len(self._gallery) <= self._scan.rows

    def search(self, queries: Embeddings, *, k: int, allowed: Rows | None = None) -> tuple[NDArray[np.float32], Rows]:
        """Return the best rows of each query that were nominated; see ``VectorBackend.search``."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        checked = check_embeddings(queries, dim=self._index.dim, name="queries")
        searched = self.num_rows if allowed is None else len(allowed)
        kept = min(k, searched)
        fetch = kept * self.settings.overfetch + _SPARE
        if searched <= self._scan.rows or fetch > self._scan.share * searched:
            return top_k(checked, self._having(allowed), k=k, allowed=allowed)
        scores = np.empty((len(checked), kept), np.float32)
        rows = np.empty((len(checked), kept), np.int64)
        mask, waiting = self._choose(allowed)
        for start in range(0, len(checked), _QUERIES_AT_ONCE):
            block = slice(start, start + _QUERIES_AT_ONCE)
            scores[block], rows[block] = self._search_block(checked[block], kept, fetch, mask, waiting, allowed)
        return scores, rows

    def _having(self, rows: Rows | None) -> Embeddings:
        """Return the gallery, some rows of which are about to be read."""
        return self._gallery.having(rows) if isinstance(self._gallery, CheckedVectors) else self._gallery

    def _choose(self, allowed: Rows | None) -> tuple[NDArray[np.bool_] | None, Rows]:
        """Return which positions of the index may be named (None: all) and which rows beside it are to be scanned."""
        if allowed is None:
            return self._alive, self._waiting
        # One more than there are rows: the place that positions of rows that are gone (-1) look at.
        chosen = np.zeros(self.num_rows + 1, bool)
        chosen[allowed] = True
        return chosen[self._row_of], self._waiting[chosen[self._waiting]]

    def _search_block(
        self,
        queries: Embeddings,
        kept: int,
        fetch: int,
        mask: NDArray[np.bool_] | None,
        waiting: Rows,
        allowed: Rows | None,
    ) -> tuple[NDArray[np.float32], Rows]:
        named, found = self._nominate(queries, fetch, mask)
        beside = top_k(queries, self._having(waiting), k=kept, allowed=waiting)[1] if len(waiting) else None
        scores = np.empty((len(queries), kept), np.float32)
        rows = np.empty((len(queries), kept), np.int64)
        gallery = self._having(named[found])
        for number in np.flatnonzero(found):
            candidates = named[number] if beside is None else np.concatenate([named[number], beside[number]])
            scores[number], rows[number] = rank_candidates(queries[number], gallery, candidates, k=kept)
        if not found.all():
            lost = np.flatnonzero(~found)
            scores[lost], rows[lost] = top_k(queries[lost], self._having(allowed), k=kept, allowed=allowed)
        return scores, rows

    def _nominate(
        self, queries: Embeddings, fetch: int, mask: NDArray[np.bool_] | None
    ) -> tuple[Rows, NDArray[np.bool_]]:
        """Return the rows named for each query, and for which of them the index named as many as it was asked for."""
        available = self._index.num_positions if mask is None else int(mask.sum())
        fetch = min(fetch, available)
        if not fetch:
            return np.empty((len(queries), 0), np.int64), np.ones(len(queries), bool)
        settings = self.settings.widened(self._index.num_positions / available)
        positions = self._index.nominate(queries, fetch=fetch, settings=settings, mask=mask)
        found: NDArray[np.bool_] = np.all(positions >= 0, axis=1)
        return self._row_of[positions], found
