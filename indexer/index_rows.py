"""Which row of a gallery each position of its search index stands for, whatever has been written to it since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.store import GalleryStore
from nearid_search.similarity import Embeddings, Rows

_ROWS_AT_ONCE = 1_024  # the products stay in the processor's cache
_DIGEST_SEED = 20_260


class GalleryRows:
    """The embeddings of a gallery at one moment, read when they are first needed.

    Args:
        encoder: fingerprint of what made them.
        tables: name of the folder of the tables.
        dim: width of an embedding.
        keys: key of every row, sorted.
        store: the tables, where the embeddings are.
    """

    def __init__(self, *, encoder: str, tables: str, dim: int, keys: Sequence[str], store: GalleryStore) -> None:
        self.encoder = encoder
        self.tables = tables
        self.dim = dim
        self.keys = keys
        self.store = store

    @property
    def lance_version(self) -> int:
        """Version of the images table."""
        return self.store.version

    @cached_property
    def vectors(self) -> Embeddings:
        """(len(keys), dim) float32 unit rows."""
        return self.store.embeddings(self.keys)


def row_digests(vectors: Embeddings) -> NDArray[np.uint64]:
    """Compute a digest of every row's bits, to notice an embedding that changed under its key.

    Args:
        vectors: (N, D) float32.

    Returns:
        (N,) uint64.
    """
    # Odd weights: where one word differs the digest does. Two numbers make a word if their count is even.
    word = np.dtype(np.uint64 if vectors.shape[1] % 2 == 0 else np.uint32)
    words = 4 * vectors.shape[1] // word.itemsize
    weights = np.random.default_rng(_DIGEST_SEED).integers(0, 2**63, words, dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    digests = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = np.ascontiguousarray(vectors[start : start + _ROWS_AT_ONCE]).view(word)
        digests[start : start + _ROWS_AT_ONCE] = (block * weights).sum(axis=1, dtype=np.uint64)
    return digests


def key_bytes(keys: Sequence[str]) -> bytes:
    """Return keys in order as the bytes that are stored; their SHA-256 is that of the rows an index covers."""
    return json.dumps(list(keys), separators=(",", ":")).encode()


def match_rows(keys: Sequence[str], digests: NDArray[np.uint64], rows: GalleryRows, lance_version: int) -> Rows:
    """Find the row of the gallery that each position of an index stands for.

    Args:
        keys: key of every position.
        digests: (N,) digest of the vector at every position.
        rows: the gallery's rows now.
        lance_version: version of the images table that keys and digests are known to agree with.

    Returns:
        (N,) int64; -1 where the key is gone or has another embedding now.
    """
    if rows.lance_version == lance_version and len(keys) == len(rows.keys) and list(keys) == list(rows.keys):
        return np.arange(len(keys), dtype=np.int64)
    present = np.asarray([key.encode() for key in rows.keys])
    wanted = np.asarray([key.encode() for key in keys])
    if not len(present) or not len(wanted):
        return np.full(len(wanted), -1, np.int64)
    places = np.minimum(np.searchsorted(present, wanted), len(present) - 1)
    same = (present[places] == wanted) & (row_digests(rows.vectors)[places] == digests)
    return np.where(same, places, -1)
