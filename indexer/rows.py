"""What the gallery's two tables hold of a file and of an image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class FileRecord(NamedTuple):
    """What the ledger knows of a file.

    Attributes:
        path: stored path (see ``location.stored_path``).
        size: bytes when last read.
        mtime_ns: time of last modification when last read, nanoseconds.
        key: SHA-256 of the last content that could be read; None if none ever could.
        error: why the present content cannot be read; None if it can.
    """

    path: str
    size: int
    mtime_ns: int
    key: str | None
    error: str | None


class ImageRow(NamedTuple):
    """One image to add; ``metadata`` holds the further columns by name."""

    key: str
    path: str
    identity: str
    embedding: NDArray[np.float32]
    width: int
    height: int
    thumbnail: bytes
    metadata: dict[str, Any]
