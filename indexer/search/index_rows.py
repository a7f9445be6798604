"""The rows of a gallery at one moment, and which of them each position of its search index stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import GalleryCorruptError
from nearid_search.indexer.care.whole_tables import reading_tables
from nearid_search.indexer.search.row_keys import Keys, find_keys, key_array
from nearid_search.indexer.sql import any_of, chunks
from nearid_search.indexer.store import GalleryStore
from nearid_search.similarity import Embeddings, Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from nearid_search.indexer.search.checked_vectors import CheckedVectors

_ROWS_AT_ONCE = 1_024  # the products stay in the processor's cache
_KEYS_AT_ONCE = 2_000
_DIGEST_SEED = 20_260
LABELS = ("key", "path", "identity")


class Identities(NamedTuple):
    """Identities by number.

    Attributes:
        codes: (N,) number of the identity of every row.
        names: Arrow array of their names, by number.
    """

    codes: NDArray[np.int64]
    names: pa.Array

    def name(self, code: int) -> str:
        """Return the name of an identity."""
        return str(self.names[code].as_py())


class GalleryRows:
    """The images of a gallery at one moment, sorted by key and read when they are first needed.

    Args:
        encoder: fingerprint of what made them.
        tables: name of the folder of the tables.
        dim: width of an embedding.
        store: the tables.
    """

    def __init__(self, *, encoder: str, tables: str, dim: int, store: GalleryStore) -> None:
        self.encoder = encoder
        self.tables = tables
        self.dim = dim
        self.store = store
        self._labels: pa.Table | None = None
        self._keys: Keys | None = None
        self._vectors: CheckedVectors | Embeddings | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lance_version(self) -> int:
        """Version of the images table."""
        return self.store.version

    @property
    def labels(self) -> pa.Table:
        """Table of the columns ``LABELS``."""
        if self._labels is None:
            self._labels = self.store.image_table(LABELS)
        return self._labels

    @property
    def keys(self) -> Keys:
        """(N,) key of every row, ascending."""
        if self._keys is None:
            self._keys = key_array(self.labels.column("key"))
        return self._keys

    def key(self, row: int) -> str:
        """Return a row's key as text."""
        return bytes(self.keys[row]).decode()

    def identities(self) -> Identities:
        """Return what the images show."""
        import pyarrow as pa

        whole = whole_array(self.labels.column("identity"))
        encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
        return Identities(encoded.indices.to_numpy().astype(np.int64), encoded.dictionary)

    @property
    def vectors(self) -> Embeddings:
        """(N, dim) float32 unit rows, all of them checked where they are mapped.

        Raises:
            IndexUnusableError: if they are mapped from a file that was altered, and nobody is to be told.
        """
        held = self.vectors_on_demand
        return held if isinstance(held, np.ndarray) else held.having()

    @property
    def vectors_on_demand(self) -> CheckedVectors | Embeddings:
        """The same; where they are mapped, to be checked row by row."""
        if self._vectors is None:
            self._vectors = self.store.embeddings(self.keys)
        return self._vectors

    def vectors_of(self, rows: Rows) -> Embeddings:
        """Return the embeddings of some rows, all different; only these are read, unless all are at hand already.

        Args:
            rows: (N,) row numbers, in any order.

        Returns:
            (N, dim) float32 in the order of ``rows``.

        Raises:
            GalleryCorruptError: if the tables no longer hold them, or cannot be read.
            IndexUnusableError: if they are mapped from a file that was altered, and nobody is to be told.
        """
        if self._vectors is not None:
            held = self._vectors
            return (held if isinstance(held, np.ndarray) else held.having(rows))[rows]
        matrix = np.empty((len(rows), self.dim), np.float32)
        place_of = {self.key(row): place for place, row in enumerate(rows.tolist())}
        found, column = 0, self.store.column
        for chunk in chunks(list(place_of), _KEYS_AT_ONCE):
            with reading_tables(self.store.folder):
                table = self.store.images.search().where(any_of("key", chunk)).select(["key", column]).to_arrow()
            places = [place_of[key] for key in table.column("key").to_pylist()]
            flat = table.column(column).combine_chunks().flatten()
            matrix[places] = flat.to_numpy(zero_copy_only=False).reshape(-1, self.dim)
            found += len(places)
        if found != len(rows):
            raise GalleryCorruptError(f"the images table holds {found} of {len(rows)} images asked for: try again")
        return matrix

    def use_kept(self, labels: pa.Table, vectors: CheckedVectors) -> None:
        """Take what an index has kept of these very rows, instead of reading the tables.

        Args:
            labels: the columns ``LABELS``, sorted by key.
            vectors: of the same rows.
        """
        self._labels, self._keys, self._vectors = labels, None, vectors


def whole_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece; looking into many pieces is slow."""
    import pyarrow as pa

    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


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


def match_rows(keys: Keys, digests: NDArray[np.uint64], rows: GalleryRows) -> Rows:
    """Find rows that were seen before among those of the gallery now.

    Args:
        keys: (N,) their keys, in any order.
        digests: (N,) digest of the vector of each.
        rows: the gallery's rows now.

    Returns:
        (N,) int64; -1 where the key is gone or has another embedding now.
    """
    places = find_keys(rows.keys, keys)
    if len(rows):
        places[row_digests(rows.vectors)[places] != digests] = -1
    return places
