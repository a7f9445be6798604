"""Which state of the tables something was made from."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path


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
    versions = tables_dir / f"{table}.lance" / "_versions"
    for name in (f"{2**64 - 1 - version:020}.manifest", f"{version}.manifest"):
        with suppress(FileNotFoundError):
            return hashlib.sha256((versions / name).read_bytes()).hexdigest()
    return ""
