"""What a process that was killed has left in a gallery's folder, deleted by the next one that indexes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from nearid_search.durable_file import remove_file, remove_folder
from nearid_search.errors import GalleryCorruptError, GalleryMismatchError, IndexUnusableError
from nearid_search.indexer.care.set_aside import is_aside
from nearid_search.indexer.location import UPLOADS_DIRNAME
from nearid_search.indexer.manifest import DRAFT_NAME, HEAD_NAME, MANIFEST_NAME, TABLES_NAME, read_manifest
from nearid_search.indexer.search.index_file import sweep
from nearid_search.indexer.search.index_manifest import INDEX_DIRNAME, read_index_manifest


def delete_leftovers(folder: Path) -> None:
    """Delete tables and heads that neither the manifest nor a draft names, and files that were never finished.

    Where either of the two cannot be read nothing is deleted: what it names is unknown. Uploads that are whole are the
    matter of ``unused_uploads``.

    Args:
        folder: the gallery's folder, which has a manifest; the caller holds its writer lock.

    Raises:
        OSError: if something cannot be deleted.
    """
    try:
        manifests = [read_manifest(folder, name=name) for name in (MANIFEST_NAME, DRAFT_NAME)]
    except (GalleryCorruptError, GalleryMismatchError):
        return
    in_force = {name for known in manifests if known is not None for name in (known.tables, known.encoder.head)}
    for beginning in (TABLES_NAME, HEAD_NAME):
        for path in folder.glob(f"{beginning}*"):
            if path.name not in in_force and not is_aside(path.name):
                remove_folder(path)
    for path in (*folder.glob("*.tmp"), *folder.glob(f"{UPLOADS_DIRNAME}/*.tmp")):
        remove_file(path)
    with suppress(IndexUnusableError):  # what it names is unknown
        sweep(folder / INDEX_DIRNAME, read_index_manifest(folder / INDEX_DIRNAME))
