"""Whether a gallery has been written to, from a few file attributes and without opening anything."""

from __future__ import annotations

from pathlib import Path

from nearid_search.indexer.calibration_file import CALIBRATION_NAME
from nearid_search.indexer.corrections.log import LOG_NAME
from nearid_search.indexer.manifest import MANIFEST_NAME, Manifest, read_manifest
from nearid_search.indexer.search.index_manifest import INDEX_DIRNAME, INDEX_MANIFEST
from nearid_search.indexer.search.rerank_record import RERANK_NAME

_FILES = (MANIFEST_NAME, LOG_NAME, CALIBRATION_NAME, RERANK_NAME, f"{INDEX_DIRNAME}/{INDEX_MANIFEST}")


def gallery_stamp(folder: Path) -> tuple[object, ...]:
    """Return what tells this state of a gallery from the ones before.

    Raises:
        GalleryError: if its manifest is damaged.
    """
    manifest = read_manifest(folder)
    return (*(_attributes(folder / name) for name in _FILES), _versions(folder, manifest))


def written_at(folder: Path, tables: str) -> float:
    """Return when the images of a gallery were last written, seconds since the epoch; 0 if nobody can say."""
    try:
        return _versions_folder(folder, tables).stat().st_mtime
    except OSError:
        return 0.0


def _attributes(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _versions(folder: Path, manifest: Manifest | None) -> tuple[str, ...]:
    """Return the names of Lance's version files: a new version has a new one, whatever the clock says."""
    if manifest is None:
        return ()
    try:
        return tuple(sorted(entry.name for entry in _versions_folder(folder, manifest.tables).iterdir()))
    except OSError:
        return ()


def _versions_folder(folder: Path, tables: str) -> Path:
    return folder / tables / "images.lance" / "_versions"
