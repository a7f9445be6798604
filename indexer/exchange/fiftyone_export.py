"""Write a gallery as a dataset that FiftyOne opens: its pictures stay where they are.

FiftyOne's own current format describes its database, down to identifiers. The one it had before is plain, and still
read: a list of samples as dictionaries and a file about the whole.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from nearid_search.durable_file import replacing
from nearid_search.errors import ConfigError
from nearid_search.indexer.exchange.row_files import plain_value
from nearid_search.indexer.exchange.table_export import OnExported
from nearid_search.indexer.gallery import Gallery
from nearid_search.object_storage.path import ObjectPath
from nearid_search.reports import TableExportReport

FIFTYONE = "fiftyone"
_ROWS_AT_ONCE = 1_024
_OWN = ("key", "path", "identity", "embedding", "width", "height")
# Fields that FiftyOne has itself, or that are written below.
_TAKEN = {"id", "filepath", "tags", "metadata", "media_type", "created_at", "last_modified_at", "frames", *_OWN}


def export_fiftyone(
    target: str | Path,
    *,
    gallery: str | Path | None = None,
    where: str | None = None,
    on_progress: OnExported | None = None,
) -> TableExportReport:
    """Write ``metadata.json`` and ``samples.json``; each takes its name when it is complete.

    A sample has the picture's absolute path, its identity as a classification, its size, key, embedding and metadata. A
    column whose name FiftyOne uses itself is called ``column_<name>``. Images without a file, as
    imported embeddings are, are left out. From Python: ``fiftyone.Dataset.from_dir(folder,
    dataset_type=fiftyone.types.FiftyOneDataset)``.

    Args:
        target: the folder; made if missing, its two files are replaced.
        gallery: the gallery's folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        where: SQL condition on the gallery's columns; only images it accepts are written.
        on_progress: called after every batch with the rows done and the rows there are.

    Returns:
        What was done; ``exported`` counts the samples.

    Raises:
        ConfigError: if the folder cannot be written.
        FilterError: if ``where`` cannot be evaluated.
        GalleryError: if the gallery is missing, damaged or of another format.
    """
    started = time.perf_counter()
    folder = Path(target)
    opened = Gallery.open(gallery)
    tell = on_progress or (lambda _done, _total: None)
    total = opened.store.num_images(where)
    existed = folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        with replacing(folder / "samples.json") as file:
            exported = _write(file, _samples(opened, where, tell, total))
        with replacing(folder / "metadata.json") as file:
            file.write(json.dumps(_about(opened), indent=2).encode())
    except OSError as error:
        if not existed:
            with suppress(OSError):
                folder.rmdir()  # else the same command would find it in its way
        raise ConfigError(f"cannot write into {folder}: {error.strerror or error}: give a new folder") from error
    return TableExportReport(
        gallery=str(opened.folder),
        file=str(folder),
        what=FIFTYONE,
        format=FIFTYONE,
        exported=exported,
        seconds=time.perf_counter() - started,
    )


def _write(file: BinaryIO, samples: Iterator[dict[str, Any]]) -> int:
    file.write(b'{"samples": [')
    count = 0
    for count, sample in enumerate(samples, start=1):
        file.write((",\n" if count > 1 else "\n").encode())
        file.write(json.dumps(sample, ensure_ascii=False, allow_nan=False).encode())
    file.write(b"\n]}\n")
    return count


def _samples(gallery: Gallery, where: str | None, tell: OnExported, total: int) -> Iterator[dict[str, Any]]:
    names = [field.name for field in gallery.store.metadata_fields]
    imported = gallery.manifest.encoder.backbone is None
    done = 0
    for batch in gallery.store.scan([*_OWN, *names], where=where, batch_rows=_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            if row["path"] is not None and row["width"] is not None and not imported:
                yield _sample(row, gallery.home, names)
        done += batch.num_rows
        tell(done, total)


def _sample(row: dict[str, Any], home: Path, names: list[str]) -> dict[str, Any]:
    path = row["path"]
    return {
        "filepath": path if "://" in path else _whole(home / path),
        "tags": [],
        "metadata": {"_cls": "ImageMetadata", "width": row["width"], "height": row["height"]},
        "identity": {"_cls": "Classification", "label": row["identity"]},
        "key": row["key"],
        "embedding": row["embedding"],
        **{_field(name): plain_value(row[name]) for name in names},
    }


def _whole(path: Path) -> str:
    return str(path) if isinstance(path, ObjectPath) else os.path.abspath(path)


def _field(name: str) -> str:
    return f"column_{name}" if name in _TAKEN or name.startswith("_") else name


def _about(gallery: Gallery) -> dict[str, Any]:
    """Return what is said of the whole; without a version FiftyOne takes it for the plain format."""
    info = {"gallery": str(gallery.folder), "encoder": gallery.manifest.encoder.fingerprint}
    return {"name": gallery.home.name or "gallery", "media_type": "image", "info": info}
