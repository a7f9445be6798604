"""Delete uploaded pictures that no state of a gallery, present or past, shows any more."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from nearid_search.durable_file import remove_file
from nearid_search.indexer.corrections.log import CorrectionLog, Entry
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import UPLOADS_DIRNAME
from nearid_search.indexer.sql import any_of, chunks

_NAME = re.compile(r"([0-9a-f]{64})\.[a-z]+")
_KEYS_AT_ONCE = 2_000


def clear_uploads(gallery: Gallery) -> int:
    """Delete uploads that were taken back, once no version of the tables that is kept shows them.

    Until then ``restore`` and ``as_of`` can bring them back. Files that this library has not written stay.

    Args:
        gallery: the gallery, whose corrections are all followed; the caller holds its writer lock.

    Returns:
        How many files were deleted.

    Raises:
        GalleryCorruptError: if the log of corrections is damaged.
        GalleryLockedError: if the lease of a gallery in an object store was lost; what was to be deleted stays.
        OSError: if a file cannot be deleted.
    """
    files = _uploads(gallery.folder)
    if not files:
        return 0
    log = CorrectionLog(gallery.folder)
    standing = {entry.added.key for entry in log.standing if entry.added is not None}
    unused = files.keys() - standing
    unused -= {key for table in gallery.store.tables.values() for key in _present(table, unused)}
    if not unused:
        return 0
    versions = [int(found["version"]) for found in gallery.store.images.list_versions()]
    unused -= {key for entry in log.entries if (key := _shown_by(entry, log, gallery, versions)) is not None}
    for key in unused:
        remove_file(files[key])
    return len(unused)


def _uploads(folder: Path) -> dict[str, Path]:
    """Return the uploads of a gallery by key."""
    kept = folder / UPLOADS_DIRNAME
    found = ((_NAME.fullmatch(path.name), path) for path in kept.iterdir()) if kept.is_dir() else ()
    return {match[1]: path for match, path in found if match is not None}


def _present(table: Any, keys: Collection[str]) -> set[str]:  # noqa: ANN401  (LanceDB's class)
    return {
        key
        for chunk in chunks(sorted(keys), _KEYS_AT_ONCE)
        for key in table.search().where(any_of("key", chunk)).select(["key"]).to_arrow().column("key").to_pylist()
    }


def _shown_by(entry: Entry, log: CorrectionLog, gallery: Gallery, versions: list[int]) -> str | None:
    """Return the key of the picture that an entry brought in, if a version that is kept still shows it."""
    if entry.added is None or entry.tables != gallery.manifest.tables:
        return None
    taken_back = [later for later in log.entries if later.undoes == entry.number or entry.number in later.sets_aside]
    last = max((later.versions["images"] for later in taken_back), default=max(versions))
    is_kept = any(entry.versions["images"] < version <= last for version in versions)
    return entry.added.key if is_kept else None
