"""Keep a copy of a gallery in a distributed vector engine, which answers grouped by identity."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_search.errors import ConfigError, PublishError
from nearid_search.indexer.exchange.qdrant_collection import Point, QdrantCollection
from nearid_search.indexer.exchange.row_files import plain_value
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.kept_whole import seen_as
from nearid_search.indexer.search.row_keys import find_keys
from nearid_search.reports import PublishReport

if TYPE_CHECKING:
    import pyarrow as pa

OnPublished = Callable[[int, int], None]

_DIGEST_CHARACTERS = 32


def publish_gallery(
    target: str,
    collection: str,
    *,
    gallery: str | Path | None = None,
    foreground: str | None = None,
    moved: bool = False,
    batch_rows: int = 512,
    on_progress: OnPublished | None = None,
) -> PublishReport:
    """Make a collection hold what a gallery holds: each image with its embedding, identity, path, key and metadata.

    A row is known by its key. What is there already as it should be is not sent again, so a run that was stopped goes
    on, and a repeated one sends what has changed. Rows that the gallery no longer has are removed at the end. The
    collection's own metadata say whose embeddings they are, of which gallery and as of when; while rows
    are on their way the last is null.

    Args:
        target: address of a Qdrant server, such as http://localhost:6333, or a folder for Qdrant's client alone.
        collection: its name; it is made if it is not there, and keeps its settings if it is there and empty.
        gallery: the gallery's folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        foreground: which embeddings, of a gallery that keeps two; see ``kept_whole.seen_as``.
        moved: the collection is of this gallery, although it names another place.
        batch_rows: rows in one request.
        on_progress: called after every batch with the rows done and the rows there are.

    Returns:
        What was done.

    Raises:
        ConfigError: if the target is neither address nor folder, or ``batch_rows`` is below 1.
        GalleryError: if the gallery is missing, damaged or of another format, or keeps no such embeddings.
        MissingExtraError: if Qdrant's client is not installed.
        PublishError: if the engine does not answer or refuses, or the collection holds something else.
    """
    if batch_rows < 1:
        raise ConfigError(f"batch_rows must be at least 1, got {batch_rows}")
    started = time.perf_counter()
    opened = seen_as(Gallery.open(gallery), foreground)
    record = opened.manifest.encoder
    total = opened.store.num_images()
    about = {"encoder": record.fingerprint, "gallery": str(opened.folder), "as_of": None}
    with QdrantCollection.open(target, collection) as remote:
        _claim(remote, about, record.dim, moved=moved)
        tell = on_progress or (lambda _done, _total: None)
        images, written = _send(remote, opened, batch_rows, lambda done: tell(done, total))
        removed = _remove_others(remote, opened, images)
        remote.say(about | {"as_of": {"version": opened.store.version, "time": datetime.now(UTC).isoformat()}})
    return PublishReport(
        gallery=str(opened.folder),
        target=target,
        collection=collection,
        encoder=record.fingerprint,
        dim=record.dim,
        images=images,
        written=written,
        unchanged=images - written,
        removed=removed,
        seconds=time.perf_counter() - started,
    )


def _claim(remote: QdrantCollection, about: dict[str, Any], dim: int, *, moved: bool) -> None:
    """Make the collection ready for a gallery, or refuse one that holds something else."""
    held = remote.says()
    if held is not None and held["encoder"] != about["encoder"]:
        raise PublishError(
            f"collection {remote.name!r} holds embeddings made by {held['encoder']}, those of {about['gallery']} are "
            f"made by {about['encoder']}: embeddings of two encoders do not compare. Give another --collection"
        )
    if held is not None and held["gallery"] != about["gallery"] and not moved:
        raise PublishError(
            f"collection {remote.name!r} is of the gallery {held['gallery']}, whose rows would be removed for those of "
            f"{about['gallery']}: give another --collection, or --moved if it is the same gallery in another place"
        )
    remote.make(dim)
    if held is None and remote.count():
        raise PublishError(
            f"collection {remote.name!r} holds {remote.count()} points that this program did not write: give another "
            "--collection"
        )
    remote.say(about)


def _send(remote: QdrantCollection, gallery: Gallery, batch_rows: int, tell: Callable[[int], None]) -> tuple[int, int]:
    """Write the rows that are not there as they should be; return how many rows there are and were written."""
    images = written = 0
    for points in _points(gallery, batch_rows):
        there = remote.digests([point.key for point in points])
        changed = [point for point in points if there.get(point.key) != point.payload["digest"]]
        if changed:
            remote.put(changed)
        images += len(points)
        written += len(changed)
        tell(images)
    return images, written


def _points(gallery: Gallery, batch_rows: int) -> Iterator[list[Point]]:
    metadata = [field.name for field in gallery.store.metadata_fields]
    columns = ["key", "identity", "path", gallery.store.column, *metadata]
    for batch in gallery.store.scan(columns, batch_rows=batch_rows):
        vectors = _matrix(batch.column(gallery.store.column))
        rows = batch.select(["key", "identity", "path", *metadata]).to_pylist()
        points = []
        for row, vector in zip(rows, vectors, strict=True):
            payload = {name: row[name] for name in ("key", "identity", "path")}
            payload["metadata"] = {name: plain_value(row[name]) for name in metadata}
            said = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
            payload["digest"] = hashlib.sha256(vector.tobytes() + said).hexdigest()[:_DIGEST_CHARACTERS]
            points.append(Point(row["key"], vector.tolist(), payload))
        yield points


def _matrix(column: pa.Array) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(len(column), -1)


def _remove_others(remote: QdrantCollection, gallery: Gallery, images: int) -> int:
    """Remove the points that the gallery does not have; all of its own are there by now, so mostly a count will do."""
    if remote.count() == images:
        return 0
    present = gallery.rows().keys
    removed = 0
    for page in remote.pages():
        places = find_keys(present, np.array([key for _, key in page], dtype=present.dtype))
        gone = [name for (name, _), place in zip(page, places.tolist(), strict=True) if place < 0]
        if gone:
            remote.delete(gone)
        removed += len(gone)
    return removed
