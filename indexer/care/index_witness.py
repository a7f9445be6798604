"""What a whole search index says of the gallery's images: it keeps their vectors and names, each with a digest."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import IndexUnusableError
from nearid_search.indexer.manifest import EncoderRecord, Manifest
from nearid_search.indexer.schema import CATALOGUE_IDENTITY, EMBEDDING
from nearid_search.indexer.search.index_file import check_files
from nearid_search.indexer.search.index_manifest import INDEX_DIRNAME, read_index_manifest
from nearid_search.indexer.search.index_rows import row_digests
from nearid_search.indexer.search.row_file import KeptRows, read_rows
from nearid_search.indexer.search.row_keys import KEY_LENGTH, Keys, find_keys, key_array
from nearid_search.similarity import Embeddings

if TYPE_CHECKING:
    import pyarrow as pa


class IndexWitness:
    """What an index has kept of a gallery.

    Args:
        kept: its rows.
        vectors: (N, D) of these rows.
    """

    def __init__(self, kept: KeptRows, vectors: Embeddings) -> None:
        self._kept, self._vectors = kept, vectors
        self._keys: Keys = key_array(kept.labels.column("key"))

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> IndexWitness | None:
        """Read what the index of a gallery has kept; None if there is none, or it is damaged or another gallery's."""
        index_dir = folder / INDEX_DIRNAME
        try:
            found = read_index_manifest(index_dir)
            if found is None or (found.encoder, found.tables) != (manifest.encoder.fingerprint, manifest.tables):
                return None
            check_files(index_dir, found)
            count = found.files["embeddings"].size // (4 * found.dim)
            kept = read_rows(index_dir / found.files["rows"].name, count=count, num_positions=found.positions)
            shape = (count, found.dim)
            return cls(kept, np.memmap(index_dir / found.files["embeddings"].name, "<f4", "r", shape=shape))
        except (IndexUnusableError, OSError, ValueError):
            return None

    def contradicts(self, keys: Keys, vectors: Embeddings) -> NDArray[np.bool_]:
        """Say which of some images have another vector here."""
        places = find_keys(self._keys, keys)
        other: NDArray[np.bool_] = (places >= 0) & (row_digests(vectors) != self._kept.digests[places])
        return other

    @cached_property
    def known(self) -> set[str]:
        """Keys of the images that it has."""
        return {bytes(key).decode() for key in self._keys}

    def columns(self, keys: Collection[str], encoder: EncoderRecord) -> dict[str, pa.Array]:
        """Return what it has of some images as columns of the images table; it has no thumbnails and no metadata.

        Args:
            keys: of images that it has.
            encoder: what made the gallery.
        """
        import pyarrow as pa

        wanted = np.asarray(sorted(key.encode() for key in keys), f"S{KEY_LENGTH}")
        places = find_keys(self._keys, wanted)
        labels = self._kept.labels.take(places)
        paths = labels.column("path").to_pylist()
        names = labels.column("identity").to_pylist()
        imported = encoder.backbone is None
        said = [name if imported or name != path else None for name, path in zip(names, paths, strict=True)]
        flat = pa.array(np.asarray(self._vectors[places]).reshape(-1))
        return {
            "key": pa.array([key.decode() for key in wanted.tolist()], pa.string()),
            "path": pa.array(paths, pa.string()),
            "identity": pa.array(names, pa.string()),
            CATALOGUE_IDENTITY: pa.array(said, pa.string()),
            EMBEDDING: pa.FixedSizeListArray.from_arrays(flat, encoder.dim),
            "encoder": pa.array([encoder.fingerprint] * len(names), pa.string()),
        }
