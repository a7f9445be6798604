"""What the gallery's tables hold of a file and of an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


TO_BE_READ = -(2**63)
"""Stands for the time of change of a file that could not be read for now; no file has it, so the next run looks."""


class FileRecord(NamedTuple):
    """What the ledger knows of a file.

    Attributes:
        path: stored path (see ``location.stored_path``).
        size: bytes when last read.
        mtime_ns: time of last modification when last read, nanoseconds; or ``TO_BE_READ``.
        key: SHA-256 of the last content that could be read; None if none ever could.
        error: why the present content cannot be read; None if it can.
        source: stored path of the shard, Parquet file or list that it comes from; None if it is a file of its own.
        etag: what the server called this content, if it came from an address and the server said so.
    """

    path: str
    size: int
    mtime_ns: int
    key: str | None
    error: str | None
    source: str | None = None
    etag: str | None = None


class ImageRow(NamedTuple):
    """One image to add; ``metadata`` holds the further columns by name.

    ``catalogue_identity`` is what its source calls the thing, None if it names none; ``identity`` is that or the path.
    ``whole_embedding`` is that of the picture before it was painted over, None if that is not kept.
    """

    key: str
    path: str
    identity: str
    embedding: NDArray[np.float32]
    width: int
    height: int
    thumbnail: bytes
    metadata: dict[str, Any]
    catalogue_identity: str | None
    whole_embedding: NDArray[np.float32] | None = None


def file_records(batch: pa.RecordBatch) -> Iterator[FileRecord]:
    """Yield the rows of a batch of the ledger, which may lack the columns that an earlier version did not write."""
    names = batch.schema.names
    columns = (batch[name].to_pylist() if name in names else [None] * len(batch) for name in FileRecord._fields)
    return map(FileRecord._make, zip(*columns, strict=True))
