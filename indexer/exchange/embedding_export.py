"""Write a gallery's embeddings into a Parquet file that ``embedding_import`` and other programs read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nearid_search.durable_file import replacing
from nearid_search.errors import ConfigError
from nearid_search.indexer.exchange.embeddings_file import MAKER_ENTRY, rows_at_once
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.kept_whole import seen_as
from nearid_search.indexer.schema import EMBEDDING
from nearid_search.reports import ExportReport

if TYPE_CHECKING:
    import pyarrow as pa

OnExported = Callable[[int, int], None]


def export_embeddings(
    target: str | Path,
    *,
    gallery: str | Path | None = None,
    where: str | None = None,
    foreground: str | None = None,
    batch_rows: int | None = None,
    on_progress: OnExported | None = None,
) -> ExportReport:
    """Write identity, path, embedding, key and metadata of every image, in bounded memory.

    The file takes its name when it is complete and on disk; an earlier one of that name is replaced. It names the
    encoder in its own metadata, so ``import_embeddings`` makes a gallery with the same rows, keys and answers from it.

    Args:
        target: the Parquet file; its folder must exist.
        gallery: the gallery's folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        where: SQL condition on the gallery's columns; only images it accepts are written.
        foreground: which embeddings, of a gallery that keeps two; see ``kept_whole.seen_as``.
        batch_rows: rows at once, which is also a row group; by default 32 MiB of embeddings.
        on_progress: called after every batch with the rows written and the rows to write.

    Returns:
        What was done.

    Raises:
        ConfigError: if the file cannot be written or ``batch_rows`` is below 1.
        FilterError: if ``where`` cannot be evaluated.
        GalleryError: if the gallery is missing, damaged or of another format, or keeps no such embeddings.
    """
    if batch_rows is not None and batch_rows < 1:
        raise ConfigError(f"batch_rows must be at least 1, got {batch_rows}")
    started = time.perf_counter()
    opened = seen_as(Gallery.open(gallery), foreground)
    record = opened.manifest.encoder
    total = opened.store.num_images(where)
    path = Path(target)
    rows = batch_rows or rows_at_once(record.dim)
    try:
        with replacing(path) as file:
            exported = _write(file, opened, where, rows, lambda done: _tell(on_progress, done, total))
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"cannot write {path}: {reason}: give a file somewhere else") from error
    return ExportReport(
        gallery=str(opened.folder),
        file=str(path),
        encoder=record.fingerprint,
        dim=record.dim,
        exported=exported,
        seconds=time.perf_counter() - started,
    )


def _tell(on_progress: OnExported | None, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(done, total)


def _write(file: BinaryIO, gallery: Gallery, where: str | None, batch_rows: int, tell: Callable[[int], None]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(gallery)
    exported = 0
    # Embeddings hardly repeat: a dictionary of them would be built and thrown away.
    texts = [field.name for field in schema if pa.types.is_string(field.type) and field.name != "key"]
    with parquet.ParquetWriter(file, schema, use_dictionary=texts) as writer:
        stored = [gallery.store.column if name == EMBEDDING else name for name in schema.names]
        for batch in gallery.store.scan(stored, where=where, batch_rows=batch_rows):
            columns = [batch.column(name).cast(field.type) for name, field in zip(stored, schema, strict=True)]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            exported += batch.num_rows
            tell(exported)
    return exported


def _schema(gallery: Gallery) -> pa.Schema:
    import pyarrow as pa

    record = gallery.manifest.encoder
    own = [
        pa.field("identity", pa.string()),
        pa.field("path", pa.string()),
        pa.field(EMBEDDING, pa.list_(pa.float32(), record.dim)),
        pa.field("key", pa.string()),
    ]
    return pa.schema([*own, *gallery.store.metadata_fields], metadata={MAKER_ENTRY: record.fingerprint.encode()})
