"""Write what a gallery knows of its images, identities and corrections into files that other programs read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.durable_file import replacing
from nearid_search.errors import ConfigError
from nearid_search.indexer.exchange.row_files import file_format, row_writer
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.schema import CATALOGUE_IDENTITY
from nearid_search.reports import TableExportReport

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = ("images", "identities", "corrections")
_ROWS_AT_ONCE = 8_192
_IMAGE_COLUMNS = ("key", "path", "identity", CATALOGUE_IDENTITY, "width", "height", "encoder", "indexed_at")

OnExported = Callable[[int, int], None]


def export_table(
    target: str | Path,
    what: str,
    *,
    form: str | None = None,
    gallery: str | Path | None = None,
    where: str | None = None,
    on_progress: OnExported | None = None,
) -> TableExportReport:
    """Write one table of a gallery, a batch at a time; the file takes its name when it is complete.

    Args:
        target: the file; its folder must exist, an earlier one of that name is replaced.
        what: "images", one row a picture with its metadata; "identities", one row an identity with how many images it
            has, how many of them were imported, and when the first and the last came in; "corrections", one row an
            entry of the log.
        form: "csv", "jsonl" or "parquet"; None for that of the file's suffix.
        gallery: the gallery's folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        where: SQL condition on the gallery's columns; only images it accepts are written or counted.
        on_progress: called after every batch with the rows done and the rows there are.

    Returns:
        What was done.

    Raises:
        ConfigError: if the file cannot be written, or there is no such table or format, or ``where`` is given for
            corrections.
        FilterError: if ``where`` cannot be evaluated.
        GalleryError: if the gallery is missing, damaged or of another format.
    """
    started = time.perf_counter()
    path = Path(target)
    kind = file_format(path, form)
    opened = Gallery.open(gallery)
    if what == "corrections" and where is not None:
        raise ConfigError("--where is a condition on images: corrections are written all, leave it out")
    makers = {"images": _images, "identities": _identities, "corrections": _corrections}
    if what not in makers:
        raise ConfigError(f"cannot export {what!r}: give one of embeddings, {', '.join(TABLES)}, fiftyone")
    tell = on_progress or (lambda _done, _total: None)
    schema, batches = makers[what](opened, where, tell)
    exported = 0
    try:
        with replacing(path) as file, row_writer(file, kind, schema) as write:
            for batch in batches:
                write(batch)
                exported += batch.num_rows
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}: give a file somewhere else") from error
    return TableExportReport(
        gallery=str(opened.folder),
        file=str(path),
        what=what,
        format=kind,
        exported=exported,
        seconds=time.perf_counter() - started,
    )


Table = tuple["pa.Schema", Iterator["pa.RecordBatch"]]


def _images(gallery: Gallery, where: str | None, tell: OnExported) -> Table:
    import pyarrow as pa

    own = gallery.store.images.schema
    names = [name for name in _IMAGE_COLUMNS if name in own.names]
    schema = pa.schema([*(own.field(name) for name in names), *gallery.store.metadata_fields])

    def batches() -> Iterator[pa.RecordBatch]:
        done, total = 0, gallery.store.num_images(where)
        for batch in gallery.store.scan(schema.names, where=where, batch_rows=_ROWS_AT_ONCE):
            yield pa.record_batch([batch.column(name) for name in schema.names], schema=schema)
            done += batch.num_rows
            tell(done, total)

    gallery.store.num_images(where)  # refuses a wrong condition before a file is begun
    return schema, batches()


def _identities(gallery: Gallery, where: str | None, tell: OnExported) -> Table:
    """Count in one pass; memory grows with the identities, not with the images."""
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    schema = pa.schema(
        [
            pa.field("identity", pa.string()),
            pa.field("images", pa.int64()),
            pa.field("imported", pa.int64()),
            pa.field("first_indexed_at", moment),
            pa.field("last_indexed_at", moment),
        ]
    )
    total, done = gallery.store.num_images(where), 0
    counted: dict[str, list[Any]] = {}
    for batch in gallery.store.scan(["identity", "width", "indexed_at"], where=where, batch_rows=_ROWS_AT_ONCE):
        columns = (batch.column(name).to_pylist() for name in ("identity", "width", "indexed_at"))
        for identity, width, at in zip(*columns, strict=True):
            known = counted.setdefault(identity, [0, 0, at, at])
            known[0] += 1
            known[1] += width is None
            known[2], known[3] = min(known[2], at), max(known[3], at)
        done += batch.num_rows
        tell(done, total)
    return schema, _in_batches([(name, *counted[name]) for name in sorted(counted)], schema)


def _corrections(gallery: Gallery, _where: str | None, tell: OnExported) -> Table:
    import pyarrow as pa

    texts = ("when", "who", "why", "action", "what")
    schema = pa.schema(
        [
            pa.field("entry", pa.int64()),
            *(pa.field(name, pa.string()) for name in texts),
            *(pa.field(name, pa.int64()) for name in ("pictures", "undoes", "undone_by", "version")),
        ]
    )
    past = gallery.corrections.history()
    rows = [
        (
            entry.number,
            *(getattr(entry, name) for name in texts),
            len(entry.pins) + sum(entry.images.values()),
            entry.undoes,
            undone_by,
            version,
        )
        for entry, undone_by, version in past
    ]
    tell(len(rows), len(rows))
    return schema, _in_batches(rows, schema)


def _in_batches(rows: list[tuple[Any, ...]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for start in range(0, len(rows), _ROWS_AT_ONCE):
        columns = zip(*rows[start : start + _ROWS_AT_ONCE], strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)
