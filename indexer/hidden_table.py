"""The table of images that no answer shows; it is made when it is first needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nearid_search.errors import GalleryCorruptError
from nearid_search.indexer.care.whole_tables import REMEDY
from nearid_search.indexer.lance_panics import panics_as_errors
from nearid_search.indexer.object_tables import guarded, store_error
from nearid_search.indexer.sql import first_sentence

HIDDEN = "hidden"


def find_hidden(database: Any, tables_dir: Path) -> Any | None:  # noqa: ANN401  (LanceDB's classes)
    """Open the table, or return None if there is none.

    A folder that never held a row counts as none: a process was killed while it made the table.

    Args:
        database: LanceDB's connection to the tables.
        tables_dir: their folder.

    Raises:
        GalleryCorruptError: if it has rows and cannot be opened.
        StorageError: if it is in an object store that refuses.
    """
    if HIDDEN not in database.list_tables().tables:
        return None
    try:
        with panics_as_errors():
            return guarded(database.open_table(HIDDEN), tables_dir)
    except (ValueError, FileNotFoundError, RuntimeError, OSError) as error:
        if refused := store_error(tables_dir, error):
            raise refused from error
        if not any((tables_dir / f"{HIDDEN}.lance" / "data").glob("*")):
            return None
        raise GalleryCorruptError(
            f"the table {HIDDEN} in {tables_dir} cannot be read ({first_sentence(error)}): {REMEDY}"
        ) from error
