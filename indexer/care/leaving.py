"""What a writer leaves behind when it gives the gallery back."""

from __future__ import annotations

from pathlib import Path

from nearid_search.indexer.care.checksums import note_files
from nearid_search.indexer.care.second_copies import copy_log, copy_sealed

_MANIFEST, _LOG = "manifest.json", "corrections.jsonl"  # the modules that own these names need the lock


def leave_noted(folder: Path) -> None:
    """Note what the gallery's files are now, and copy those that nothing could be made from again.

    Args:
        folder: the gallery's folder; the caller holds its writer lock.

    Raises:
        OSError: if something cannot be written; the gallery itself is complete.
    """
    copy_log(folder / _LOG)
    copy_sealed(folder / _MANIFEST)
    note_files(folder)
