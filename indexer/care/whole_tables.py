"""Before a gallery's tables are believed: their files are compared with their sums, and Lance's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearid_search.errors import GalleryCorruptError, GalleryReplacedError, NearIDError
from nearid_search.indexer.care.checksums import altered_files, read_checksums
from nearid_search.indexer.care.lance_files import files_in_force
from nearid_search.indexer.lance_panics import panics_as_errors
from nearid_search.indexer.manifest import are_replaced
from nearid_search.indexer.object_tables import store_error
from nearid_search.indexer.sql import first_sentence
from nearid_search.object_storage.path import ObjectPath

MOST_BYTES = 1 << 30
"""Bytes of a table's files that are compared before it is read; ``gallery verify`` compares any number."""

REMEDY = "nearid-search gallery verify says what is damaged, nearid-search gallery repair mends it"


def require_whole(tables_dir: Path, table: str, version: int) -> None:
    """Compare the files of one version of a table with what was noted when they were written.

    Args:
        tables_dir: folder of the tables, in the gallery's folder.
        table: its name.
        version: its version.

    Raises:
        GalleryCorruptError: if one was altered.
    """
    if isinstance(tables_dir, ObjectPath):
        return  # a store checks its own objects, and fetching them all would cost more than the answer
    folder = tables_dir.parent
    try:
        sums = read_checksums(folder)
    except ValueError:
        return  # nothing to compare with: no reason to answer nothing, and `gallery verify` finds it
    files = files_in_force(tables_dir / f"{table}.lance", version)
    if not sums or not files:
        return
    manifest, *parts = files
    few = sum(path.stat().st_size for path in parts if path.exists()) <= MOST_BYTES
    altered = altered_files(folder, [manifest, *(parts if few else ())], sums)
    if altered:
        raise GalleryCorruptError(f"{altered[0]} was altered since it was written: {REMEDY}")


@contextmanager
def reading_tables(tables_dir: Path) -> Iterator[None]:
    """Turn what Lance raises inside into an error that names the tables and the remedy.

    Raises:
        GalleryCorruptError: for any error of Lance.
        GalleryReplacedError: if other tables have taken the place of these, which are being deleted or gone.
        StorageError: for one of an object store.
    """
    try:
        with panics_as_errors():
            yield
    except (NearIDError, ValueError, RuntimeError, OSError) as error:
        # Of what this library says itself, only damage may come of tables that are deleted under their reader.
        if isinstance(error, NearIDError) and not isinstance(error, GalleryCorruptError):
            raise
        if refused := store_error(tables_dir, error) or replaced_error(tables_dir):
            raise refused from error
        if isinstance(error, GalleryCorruptError):
            raise
        raise GalleryCorruptError(
            f"the tables in {tables_dir} cannot be read ({first_sentence(error)}): {REMEDY}"
        ) from error


def replaced_error(tables_dir: Path) -> GalleryReplacedError | None:
    """Return what is to be said of some tables that others have taken the place of; None if they are in force."""
    if not are_replaced(tables_dir):
        return None
    return GalleryReplacedError(
        f"{tables_dir.parent} was made anew since it was opened: open it again, or give the command again"
    )
