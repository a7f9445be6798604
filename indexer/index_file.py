"""The files of a gallery's search index: a crash leaves the old ones or the new ones, and opening them checks them.

The data files have names of their own each time and never change; ``index.json`` names those in force. FAISS reads
flipped bytes without a word, so every file is compared with its SHA-256 before FAISS sees it. It is then mapped.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search import __version__
from nearid_search.durable_file import publish, write_file
from nearid_search.errors import GalleryWriteError, IndexUnusableError
from nearid_search.indexer.faiss_ann import AnnIndex
from nearid_search.indexer.faiss_install import import_faiss
from nearid_search.indexer.index_manifest import (
    INDEX_MANIFEST,
    DataFile,
    IndexManifest,
    Tuning,
    read_index_manifest,
    write_index_manifest,
)
from nearid_search.indexer.index_recipe import RECIPES, SearchSettings
from nearid_search.indexer.index_rows import GalleryRows, key_bytes, match_rows, row_digests
from nearid_search.similarity import Rows


class StoredIndex(NamedTuple):
    """An index and how its positions correspond to a gallery's rows.

    Attributes:
        ann: the index.
        manifest: what it says about itself.
        keys: key of every position.
        digests: (N,) digest of the vector at every position.
        row_of: (N,) row of the gallery at each position; -1 where the image is gone or has another embedding now.
    """

    ann: AnnIndex
    manifest: IndexManifest
    keys: Sequence[str]
    digests: NDArray[np.uint64]
    row_of: Rows

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
    keys: Sequence[str] | None = None,
    digests: NDArray[np.uint64] | None = None,
) -> IndexManifest:
    """Write an index and put it in force; the caller holds the gallery's writer lock.

    Args:
        index_dir: the index's folder; made if missing.
        ann: the index.
        rows: the gallery it was made from.
        settings: how far a search looks.
        tuning: what was measured with these settings.
        keys: key of every position; by default the gallery's rows in order.
        digests: (N,) ``row_digests`` of the vector at every position; by default the gallery's.

    Returns:
        The manifest.

    Raises:
        GalleryWriteError: if it cannot be written; what was in force still is.
    """
    stamp = uuid.uuid4().hex[:12]
    held = BytesIO()
    np.save(held, row_digests(rows.vectors) if digests is None else digests)
    contents = {"keys": key_bytes(rows.keys if keys is None else keys), "digests": held.getvalue()}
    try:
        index_dir.mkdir(exist_ok=True)
        files = {"vectors": _write_vectors(index_dir, ann, f"{stamp}.vectors")}
        for part, content in contents.items():
            name = f"{stamp}.{part}"
            write_file(index_dir / name, content)
            files[part] = DataFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
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

    Args:
        index_dir: the index's folder.
        rows: the gallery's rows now.
        mapped: map the file instead of reading it; nothing can then be added.

    Raises:
        IndexUnusableError: if a file is damaged, or the index was made from other embeddings.
        MissingExtraError: if FAISS is not installed.
    """
    manifest = read_index_manifest(index_dir)
    if manifest is None:
        return None
    check_origin(manifest, rows)
    try:
        check_files(index_dir, manifest)
        recipe = RECIPES[manifest.recipe]
        ann = AnnIndex.read(index_dir / manifest.files["vectors"].name, recipe, manifest.trained_rows, mapped=mapped)
        content = (index_dir / manifest.files["keys"].name).read_bytes()
        digests: NDArray[np.uint64] = np.load(index_dir / manifest.files["digests"].name, allow_pickle=False)
    except (IndexUnusableError, OSError, RuntimeError) as error:
        latest = read_index_manifest(index_dir)
        if latest is None or latest.files != manifest.files:
            return open_index(index_dir, rows, mapped=mapped)  # another process has replaced or removed it meanwhile
        if isinstance(error, IndexUnusableError):
            raise
        raise IndexUnusableError(f"the search index in {index_dir} cannot be read ({_reason(error)})") from error
    keys: list[str] = json.loads(content)
    if not len(keys) == len(digests) == ann.num_positions == manifest.positions or ann.dim != manifest.dim:
        raise IndexUnusableError(f"the search index in {index_dir} has parts of different lengths")
    return StoredIndex(ann, manifest, keys, digests, match_rows(keys, digests, rows, manifest.lance_version))


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


def check_files(index_dir: Path, manifest: IndexManifest) -> None:
    """Compare every file with the size and the SHA-256 it was written with.

    Raises:
        IndexUnusableError: if one is missing or differs.
        OSError: if one cannot be read.
    """
    for file in manifest.files.values():
        path = index_dir / file.name
        if not path.exists():
            raise IndexUnusableError(f"{path} is missing")
        size = path.stat().st_size
        if size != file.size:
            raise IndexUnusableError(f"{path} has {size} bytes, {INDEX_MANIFEST} says {file.size}")
        if _sha256(path) != file.sha256:
            raise IndexUnusableError(f"{path} was altered since it was written")


def remove_index(index_dir: Path) -> None:
    """Delete an index, its manifest first; the caller holds the gallery's writer lock.

    Raises:
        OSError: if a file cannot be deleted.
    """
    if index_dir.is_dir():
        (index_dir / INDEX_MANIFEST).unlink(missing_ok=True)
        sweep(index_dir, None)
        index_dir.rmdir()


def restamp(index_dir: Path, stored: StoredIndex, lance_version: int) -> None:
    """Note that an index still agrees with a gallery that has been written to since; opening it is then faster.

    Raises:
        OSError: if it cannot be written.
    """
    # Where a key has another embedding now, only the digests tell; the old stamp makes sure they are compared.
    if (stored.row_of >= 0).all() and stored.manifest.lance_version != lance_version:
        write_index_manifest(index_dir, replace(stored.manifest, lance_version=lance_version))


def sweep(index_dir: Path, manifest: IndexManifest | None) -> None:
    """Delete what a stopped or replaced build has left; readers that have it mapped keep it.

    Raises:
        OSError: if a file cannot be deleted.
    """
    in_force = set() if manifest is None else {INDEX_MANIFEST, *(file.name for file in manifest.files.values())}
    if index_dir.is_dir():
        for path in index_dir.iterdir():
            if path.name not in in_force:
                path.unlink()


def _write_vectors(index_dir: Path, ann: AnnIndex, name: str) -> DataFile:
    temporary = index_dir / f"{name}.tmp"
    ann.write(temporary)
    file = DataFile(name=name, size=temporary.stat().st_size, sha256=_sha256(temporary))
    publish(temporary, index_dir / name)
    return file


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return (str(error).splitlines() or ["no reason given"])[0]
