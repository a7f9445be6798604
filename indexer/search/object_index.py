"""The files of a search index in an object store: written through this machine's copies, opened from them."""

from __future__ import annotations

from pathlib import Path

from nearid_search.indexer.search.index_manifest import IndexManifest
from nearid_search.object_storage.cache import forget_others, keep_as, kept_file, kept_folder
from nearid_search.object_storage.lease import require_lease
from nearid_search.object_storage.path import ObjectPath

UNREAD = "embeddings"
"""The part that is mapped unread; its rows are compared one by one as they are needed (``CheckedVectors``)."""


def fetch_index(index_dir: ObjectPath, manifest: IndexManifest) -> Path:
    """Return the folder of this machine with copies of an index's files, downloading those it lacks.

    A copy that was damaged is downloaded anew. Copies of files that are not in force any more are deleted.

    Args:
        index_dir: the index's folder.
        manifest: what names the files.

    Raises:
        FileNotFoundError: if a file is not in the store.
        IndexUnusableError: if it holds something else than was written.
        StorageError: if the store does not answer, or a copy cannot be kept.
    """
    folder = kept_folder(index_dir)
    forget_others(folder, {file.name for file in manifest.files.values()})
    for part, file in manifest.files.items():
        kept_file(index_dir / file.name, size=file.size, sha256=file.sha256, compare=part != UNREAD)
    return folder


def missing_object(index_dir: ObjectPath, manifest: IndexManifest) -> str | None:
    """Say which file of an index is missing from the store or has another size; its content is the store's to keep."""
    for file in manifest.files.values():
        path = index_dir / file.name
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return f"{path} is missing"
        if size != file.size:
            return f"{path} has {size} bytes, not {file.size}"
    return None


def scratch_file(path: Path) -> Path:
    """Return where a file is to be written before it takes its name."""
    folder = kept_folder(path.parent) if isinstance(path, ObjectPath) else path.parent
    return folder / f"{path.name}.tmp"


def publish_object(temporary: Path, target: ObjectPath) -> None:
    """Upload what ``scratch_file`` named, and keep it as the copy."""
    require_lease(target)
    keep_as(temporary, target)
