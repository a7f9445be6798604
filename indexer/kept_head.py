"""The head of a gallery as files of this machine, which is what an encoder opens."""

from __future__ import annotations

from pathlib import Path

from nearid_search.errors import StorageError, WeightsError
from nearid_search.head_file import MANIFEST_NAME, WEIGHTS_NAME, read_head_manifest
from nearid_search.object_storage.cache import keep, kept_folder
from nearid_search.object_storage.path import ObjectPath
from nearid_search.weights import file_sha256


def local_head(folder: Path) -> Path:
    """Return where a gallery's head can be opened.

    Args:
        folder: where the gallery keeps it; its name ends with the head's fingerprint.

    Returns:
        The folder itself, or a copy on this machine of one in an object store. The copy is compared with the
        fingerprint each time, and downloaded anew if it is damaged.

    Raises:
        StorageError: if it cannot be downloaded or kept.
    """
    if not isinstance(folder, ObjectPath):
        return folder
    kept = kept_folder(folder)
    if not _holds(kept, folder.name):
        for name in (WEIGHTS_NAME, MANIFEST_NAME):
            try:
                _keep(kept / name, (folder / name).read_bytes())
            except FileNotFoundError:
                raise StorageError(f"{folder / name} is missing: index again with --rebuild") from None
    return kept


def _keep(copy: Path, content: bytes) -> None:
    keep(copy, lambda path: path.write_bytes(content))


def _holds(kept: Path, name: str) -> bool:
    try:
        manifest = read_head_manifest(kept)
        whole = file_sha256(kept / WEIGHTS_NAME) == manifest.weights_sha256
    except WeightsError:
        return False
    return whole and name.endswith(manifest.fingerprint.rpartition(":")[2])
