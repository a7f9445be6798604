"""Embeddings of many files, equal files once: a reference image lies beside each of the images made from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import UnreadableImageError
from nearid_search.images import decode_image, read_file
from nearid_search.map_ahead import map_ahead
from nearid_search.records import Failure
from nearid_search.similarity import Embeddings


@dataclass(frozen=True)
class EmbeddedFiles:
    """Embeddings of distinct contents.

    Attributes:
        rows: the row of each file that could be read; equal files share one.
        embeddings: (R, D) float32 unit rows.
        failures: files that cannot be read.
    """

    rows: Mapping[Path, int]
    embeddings: Embeddings
    failures: tuple[Failure, ...]


def embed_files(
    paths: Sequence[Path],
    encoder: IdentityEncoder,
    *,
    batch_size: int = 8,
    on_progress: Callable[[int, int], None] | None = None,
) -> EmbeddedFiles:
    """Read files ahead in threads and encode each distinct content once.

    Args:
        paths: image files, each once.
        encoder: frozen or with a head.
        batch_size: images an encoder call, >= 1; changes memory and speed, never an embedding.
        on_progress: called with the files read and their number.

    Returns:
        The embeddings, in the order in which contents first occur.
    """
    places: dict[str, int] = {}
    rows: dict[Path, int] = {}
    failures: list[Failure] = []
    blocks: list[Embeddings] = []
    waiting: list[NDArray[np.uint8]] = []

    def encode() -> None:
        if waiting:
            blocks.append(encoder.encode_prepared(np.stack(waiting)))
            waiting.clear()

    for number, read in enumerate(map_ahead(lambda path: _read(path, encoder, places), paths), start=1):
        if read.error is not None:
            failures.append(Failure(str(read.path), read.error))
        else:
            if read.key not in places and read.prepared is not None:
                places[read.key] = len(places)
                waiting.append(read.prepared)
            rows[read.path] = places[read.key]
        if len(waiting) >= batch_size:
            encode()
        if on_progress is not None:
            on_progress(number, len(paths))
    encode()
    embeddings = np.concatenate(blocks) if blocks else np.empty((0, encoder.dim), np.float32)
    return EmbeddedFiles(rows, embeddings, tuple(failures))


class _Read(NamedTuple):
    path: Path
    key: str = ""
    prepared: NDArray[np.uint8] | None = None
    error: str | None = None


def _read(path: Path, encoder: IdentityEncoder, known: Mapping[str, int]) -> _Read:
    """Read a file and, unless its content is known, decode it."""
    try:
        data = read_file(path)
        key = hashlib.sha256(data).hexdigest()
        if key in known:
            return _Read(path, key)
        image = decode_image(data, name=str(path), min_side=encoder.min_side)
        return _Read(path, key, encoder.prepare(image.pixels))
    except UnreadableImageError as error:
        return _Read(path, error=error.reason)
