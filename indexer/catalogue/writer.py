"""Write batches in a thread of their own, in order, one ahead of the encoder at most."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from nearid_search.indexer.image_rows import add_columns_of, add_rows
from nearid_search.indexer.rows import FileRecord, ImageRow
from nearid_search.indexer.store import GalleryStore


@dataclass
class Pending:
    """A batch on its way to the tables.

    Attributes:
        images: rows with new content keys.
        hidden: the same of pictures that people have taken out of every answer.
        files: ledger rows, of those images and of files that gave none.
    """

    images: list[ImageRow] = field(default_factory=list)
    hidden: list[ImageRow] = field(default_factory=list)
    files: list[FileRecord] = field(default_factory=list)


class BatchWriter:
    """Writes one batch while the next is encoded; a failed write surfaces at the next call.

    Args:
        store: the gallery's tables.
        fingerprint: of the encoder that made the embeddings.
        known: stored paths that are in the ledger already.
    """

    def __init__(self, store: GalleryStore, fingerprint: str, known: set[str]) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._known = known
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._last: Future[None] | None = None
        self._since = time.perf_counter()

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last batch was handed over."""
        return time.perf_counter() - self._since

    def __enter__(self) -> BatchWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)
        if self._last is not None:
            self._last.result()

    def write(self, pending: Pending) -> None:
        """Hand a batch over, after the one before it is durable.

        Raises:
            CatalogueError: if a metadata value of the batch before did not fit its column.
            OSError: if the batch before could not be written.
        """
        if self._last is not None:
            self._last.result()
        self._since = time.perf_counter()
        self._last = self._pool.submit(self._write, pending)

    def _write(self, pending: Pending) -> None:
        if pending.images:
            self._store.add_images(pending.images, encoder=self._fingerprint)
        if pending.hidden:
            add_columns_of(self._store.images, self._store.hidden)
            add_rows(self._store.hidden, pending.hidden, encoder=self._fingerprint)
        if pending.files:
            self._store.record_files(pending.files, known=self._known)
