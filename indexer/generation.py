"""Which state of the tables something was made from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nearid_search.indexer.care.lance_files import version_file


def table_generation(tables_dir: Path, table: str, version: int) -> str:
    """Return the SHA-256 of what Lance has written about one version of a table, which names its data files.

    A version number alone does not tell two tables apart, such as one and its restored backup.

    Args:
        tables_dir: folder of the tables.
        table: its name.
        version: its version.

    Returns:
        Hex digits; empty if Lance's file is not where it used to be, and then nothing may be taken for unchanged.
    """
    path = version_file(tables_dir / f"{table}.lance", version)
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
