"""The rows of a gallery in an object store, kept on this machine until the gallery is written to.

Two files, as a search index keeps them (``indexer.search.row_file``), and a third that says what they are of. A gallery
with a search index keeps its rows with that instead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from nearid_search.indexer.search.checked_vectors import CheckedVectors
from nearid_search.indexer.search.index_rows import GalleryRows, row_digests
from nearid_search.indexer.search.row_file import Positions, read_rows, write_embeddings, write_rows
from nearid_search.indexer.search.row_keys import KEY_LENGTH, key_array
from nearid_search.object_storage.cache import forget_others, keep, kept_folder, sha256_of
from nearid_search.object_storage.path import ObjectPath
from nearid_search.sealed_json import read_sealed, seal

_NONE = Positions(np.empty(0, f"S{KEY_LENGTH}"), np.empty(0, np.uint64), np.empty(0, np.int64))


def use_kept_rows(index_dir: Path, rows: GalleryRows, *, on_warning: Callable[[str], None]) -> None:
    """Let rows be what this machine has kept of them, or keep them; those of a gallery on a disk are left alone.

    Args:
        index_dir: folder of the search index that the gallery lacks.
        rows: the gallery's rows now.
        on_warning: told of vectors that were damaged here.

    Raises:
        StorageError: if the store does not answer, or the rows cannot be kept.
    """
    generation = rows.store.generation if isinstance(index_dir, ObjectPath) else ""
    if generation == "":
        return
    folder = kept_folder(index_dir.with_name(f"{index_dir.name}-rows"))
    if not _take(folder, generation, rows, on_warning):
        _keep(folder, generation, rows)


def _take(folder: Path, generation: str, rows: GalleryRows, on_warning: Callable[[str], None]) -> bool:
    try:
        about = read_sealed(folder / f"{generation}.json")
    except ValueError:
        return False
    if about is None or about["encoder"] != rows.encoder:
        return False
    labels, vectors = folder / f"{generation}.rows", folder / f"{generation}.embeddings"
    try:
        whole = sha256_of(labels) == about["rows"] and vectors.stat().st_size == 4 * rows.dim * about["count"]
    except OSError:
        return False
    if not whole:
        return False
    kept = read_rows(labels, count=about["count"], num_positions=0)
    read_again = partial(rows.store.embeddings, key_array(kept.labels.column("key")))
    mapped = CheckedVectors(vectors, kept.digests, rows.dim, read_again=read_again, is_copy=True)
    mapped.on_damage = on_warning
    rows.use_kept(kept.labels, mapped)
    return True


def _keep(folder: Path, generation: str, rows: GalleryRows) -> None:
    names = [f"{generation}.{part}" for part in ("rows", "embeddings", "json")]
    vectors = rows.vectors
    digests = row_digests(vectors)
    keep(folder / names[0], lambda path: write_rows(path, rows, digests, _NONE))
    keep(folder / names[1], lambda path: write_embeddings(path, vectors))
    about = {"encoder": rows.encoder, "count": len(rows), "rows": sha256_of(folder / names[0])}
    keep(folder / names[2], lambda path: path.write_bytes(seal(about)))
    forget_others(folder, names)
