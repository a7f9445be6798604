"""The files of a gallery's search index: a crash leaves the old ones or the new ones, and opening them checks them.

The data files have names of their own each time and never change; ``index.json`` names those in force. FAISS reads
flipped bytes without a word, so its file is compared with its SHA-256 before FAISS sees it, and so is the file of rows.
Both are then mapped. The vectors are mapped unread and compared row by row as they are needed (``CheckedVectors``).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nearid_search import __version__
from nearid_search.durable_file import publish, remove_file
from nearid_search.errors import GalleryWriteError, IndexUnusableError
from nearid_search.indexer.search.checked_vectors import CheckedVectors
from nearid_search.indexer.search.faiss_ann import AnnIndex
from nearid_search.indexer.search.faiss_install import import_faiss
from nearid_search.indexer.search.index_manifest import (
    INDEX_MANIFEST,
    DataFile,
    IndexManifest,
    Tuning,
    read_index_manifest,
    write_index_manifest,
)
from nearid_search.indexer.search.index_recipe import RECIPES, SearchSettings
from nearid_search.indexer.search.index_rows import GalleryRows, match_rows, row_digests
from nearid_search.indexer.search.object_index import (
    UNREAD,
    fetch_index,
    missing_object,
    publish_object,
    scratch_file,
)
from nearid_search.indexer.search.row_file import Positions, read_rows, write_embeddings, write_rows
from nearid_search.indexer.search.row_keys import key_array
from nearid_search.object_storage.path import ObjectPath
from nearid_search.similarity import Rows


class StoredIndex(NamedTuple):
    """An index and how its positions correspond to a gallery's rows.

    Attributes:
        ann: the index.
        manifest: what it says about itself.
        positions: what stands at every position, ``row_of`` counting the gallery's rows now.
    """

    ann: AnnIndex
    manifest: IndexManifest
    positions: Positions

    @property
    def row_of(self) -> Rows:
        """(N,) row of the gallery at each position; -1 where the image is gone or has another embedding now."""
        return self.positions.row_of

    def waiting(self, num_rows: int) -> Rows:
        """Return the gallery's rows that no position stands for, sorted."""
        covered = np.zeros(num_rows, bool)
        covered[self.row_of[self.row_of >= 0]] = True
        return np.flatnonzero(~covered)


def save_index(
    index_dir: Path,
    ann: AnnIndex,
    rows: GalleryRows,
    *,
    settings: SearchSettings,
    tuning: Tuning | None = None,
    positions: Positions | None = None,
    unchanged: Mapping[str, DataFile] | None = None,
) -> IndexManifest:
    """Write an index and put it in force; the caller holds the gallery's writer lock.

    Args:
        index_dir: the index's folder; made if missing.
        ann: the index.
        rows: the gallery as it is now.
        settings: how far a search looks.
        tuning: what was measured with these settings.
        positions: what stands at every position; by default the gallery's rows in order.
        unchanged: parts that are on disk already as they should be.

    Returns:
        The manifest.

    Raises:
        GalleryWriteError: if it cannot be written; what was in force still is.
    """
    digests = row_digests(rows.vectors)
    if positions is None:
        positions = Positions(rows.keys, digests, np.arange(len(rows), dtype=np.int64))
    held = positions
    writers: dict[str, Callable[[Path], None]] = {
        "vectors": ann.write,
        "rows": lambda path: write_rows(path, rows, digests, held),
        "embeddings": lambda path: write_embeddings(path, rows.vectors),
    }
    stamp = uuid.uuid4().hex[:12]
    try:
        index_dir.mkdir(exist_ok=True)
        files = {**(unchanged or {})}
        files |= {
            part: _write(index_dir / f"{stamp}.{part}", write) for part, write in writers.items() if part not in files
        }
        manifest = IndexManifest(
            recipe=ann.recipe.name,
            factory=ann.recipe.factory(ann.trained_rows),
            settings=settings,
            trained_rows=ann.trained_rows,
            positions=ann.num_positions,
            dim=ann.dim,
            encoder=rows.encoder,
            tables=rows.tables,
            lance_version=rows.lance_version,
            generation=rows.store.generation,
            files=files,
            faiss=str(import_faiss("the search index").__version__),
            made_by=__version__,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            tuning=tuning,
        )
        write_index_manifest(index_dir, manifest)
    except (OSError, RuntimeError) as error:  # FAISS raises the second when a disk is full
        raise GalleryWriteError(
            f"cannot write the search index in {index_dir} ({_reason(error)}): the gallery itself is complete; "
            "make room and run the same command again"
        ) from error
    sweep(index_dir, manifest)
    return manifest


def open_index(index_dir: Path, rows: GalleryRows, *, mapped: bool = True) -> StoredIndex | None:
    """Open the index of a gallery, or return None if it has none.

    Where nothing was written to the gallery since, ``rows`` take the index's files instead of reading the tables.

    Args:
        index_dir: the index's folder.
        rows: the gallery's rows now.
        mapped: map the index instead of reading it; nothing can then be added.

    Raises:
        IndexUnusableError: if a file is damaged, or the index was made from other embeddings.
        MissingExtraError: if FAISS is not installed.
    """
    manifest = read_index_manifest(index_dir)
    if manifest is None:
        return None
    check_origin(manifest, rows)
    try:
        return _open(index_dir, manifest, rows, mapped=mapped)
    except (IndexUnusableError, OSError, RuntimeError, ValueError) as error:
        latest = read_index_manifest(index_dir)
        if latest is None or latest.files != manifest.files:
            return open_index(index_dir, rows, mapped=mapped)  # another process has replaced or removed it meanwhile
        if isinstance(error, IndexUnusableError):
            raise
        raise IndexUnusableError(f"the search index in {index_dir} cannot be read ({_reason(error)})") from error


def _open(index_dir: Path, manifest: IndexManifest, rows: GalleryRows, *, mapped: bool) -> StoredIndex:
    folder = index_dir
    if isinstance(index_dir, ObjectPath):
        folder = fetch_index(index_dir, manifest)
    else:
        check_files(index_dir, manifest, sizes_only=(UNREAD,))
    paths = {part: folder / file.name for part, file in manifest.files.items()}
    ann = AnnIndex.read(paths["vectors"], RECIPES[manifest.recipe], manifest.trained_rows, mapped=mapped)
    count = manifest.files["embeddings"].size // (4 * manifest.dim)
    kept = read_rows(paths["rows"], count=count, num_positions=manifest.positions)
    if (ann.num_positions, ann.dim, len(kept.labels)) != (manifest.positions, manifest.dim, count):
        raise IndexUnusableError(f"the search index in {index_dir} has parts of different lengths")
    if rows.store.generation == manifest.generation != "":
        read_again = partial(rows.store.embeddings, key_array(kept.labels.column("key")))
        vectors = CheckedVectors(
            paths["embeddings"],
            kept.digests,
            manifest.dim,
            read_again=read_again,
            is_copy=isinstance(index_dir, ObjectPath),
        )
        rows.use_kept(kept.labels, vectors)
        return StoredIndex(ann, manifest, kept.positions)
    row_of = match_rows(kept.positions.keys, kept.positions.digests, rows)
    return StoredIndex(ann, manifest, kept.positions._replace(row_of=row_of))


def check_origin(manifest: IndexManifest, rows: GalleryRows) -> None:
    """Refuse an index that was made from another gallery's embeddings.

    Raises:
        IndexUnusableError: with what differs.
    """
    for what, own, theirs in (
        ("encoder", manifest.encoder, rows.encoder),
        ("tables", manifest.tables, rows.tables),
        ("width", manifest.dim, rows.dim),
    ):
        if own != theirs:
            raise IndexUnusableError(f"the search index was made for the {what} {own}, the gallery has {theirs}")


def check_files(index_dir: Path, manifest: IndexManifest, *, sizes_only: Collection[str] = ()) -> None:
    """Compare every file with the size and the SHA-256 it was written with; in an object store with its size.

    Args:
        index_dir: the index's folder.
        manifest: what names the files.
        sizes_only: parts that are not read.

    Raises:
        IndexUnusableError: if one is missing or differs.
        OSError: if one cannot be read.
    """
    if isinstance(index_dir, ObjectPath):
        fault = missing_object(index_dir, manifest)
        if fault is not None:
            raise IndexUnusableError(fault)
        return
    for part, file in manifest.files.items():
        path = index_dir / file.name
        if not path.exists():
            raise IndexUnusableError(f"{path} is missing")
        size = path.stat().st_size
        if size != file.size:
            raise IndexUnusableError(f"{path} has {size} bytes, {INDEX_MANIFEST} says {file.size}")
        if part not in sizes_only and _sha256(path) != file.sha256:
            raise IndexUnusableError(f"{path} was altered since it was written")


def remove_index(index_dir: Path) -> None:
    """Delete an index, its manifest first; the caller holds the gallery's writer lock.

    Raises:
        OSError: if a file cannot be deleted.
    """
    if index_dir.is_dir():
        remove_file(index_dir / INDEX_MANIFEST)
        sweep(index_dir, None)
        index_dir.rmdir()


def sweep(index_dir: Path, manifest: IndexManifest | None) -> None:
    """Delete what a stopped or replaced build has left; readers that have it mapped keep it.

    Raises:
        OSError: if a file cannot be deleted.
    """
    in_force = set() if manifest is None else {INDEX_MANIFEST, *(file.name for file in manifest.files.values())}
    if index_dir.is_dir():
        for path in index_dir.iterdir():
            if path.name not in in_force:
                remove_file(path)


def _write(path: Path, write: Callable[[Path], None]) -> DataFile:
    temporary = scratch_file(path)
    write(temporary)
    file = DataFile(name=path.name, size=temporary.stat().st_size, sha256=_sha256(temporary))
    if isinstance(path, ObjectPath):
        publish_object(temporary, path)
    else:
        publish(temporary, path)
    return file


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return (str(error).splitlines() or ["no reason given"])[0]
