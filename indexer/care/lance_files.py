"""Which of Lance's files a version of a table is made of.

Lance never changes a file of these once it is written. What a version needs is named in its manifest: data files by
name, deletions and indexes by identifiers that are long enough to be looked for as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from nearid_search.indexer.care.set_aside import is_aside

_DELETIONS = re.compile(r"\d+-\d+-(\d+)\.(arrow|bin)")
_KINDS = ("data", "_deletions", "_indices")
_HINT = "latest_version_hint.json"  # Lance rewrites it with every version, and does without it


def version_file(table_dir: Path, version: int) -> Path | None:
    """Return Lance's file about a version of a table; None if it is not where it used to be.

    Args:
        table_dir: folder of the table.
        version: its version.
    """
    for name in (f"{2**64 - 1 - version:020}.manifest", f"{version}.manifest"):
        if (table_dir / "_versions" / name).is_file():
            return table_dir / "_versions" / name
    return None


def list_versions(table_dir: Path) -> list[int]:
    """Return the versions of a table that Lance has a file about, in order."""
    numbers = [int(path.stem) for path in (table_dir / "_versions").glob("*.manifest") if path.stem.isdecimal()]
    return sorted(2**64 - 1 - number if number >= 2**63 else number for number in numbers)


def needs(manifest: bytes, path: Path, table_dir: Path) -> bool:
    """Say whether a version needs a file, which may be missing.

    Args:
        manifest: content of the version's manifest.
        path: the file.
        table_dir: folder of the table.
    """
    kind = path.relative_to(table_dir).parts[0]
    return kind in _KINDS and _identifier(path, table_dir) in manifest


def files_in_force(table_dir: Path, version: int) -> list[Path]:
    """Return the files that a version of a table is read from, its own manifest first; none if that is missing."""
    manifest = version_file(table_dir, version)
    if manifest is None:
        return []
    content = manifest.read_bytes()
    return [manifest, *(path for path in _parts(table_dir) if needs(content, path, table_dir))]


def table_files(gallery_dir: Path) -> Iterator[Path]:
    """Yield every file of a gallery's tables that Lance does not rewrite as it goes, a draft's included."""
    for tables in sorted(gallery_dir.glob("tables*")):
        for path in sorted(tables.rglob("*")) if not is_aside(tables.name) else ():
            if path.name != _HINT and not is_aside(path.name) and path.is_file():
                yield path


def _parts(table_dir: Path) -> Iterator[Path]:
    for kind in _KINDS:
        if (table_dir / kind).is_dir():
            yield from (path for path in sorted((table_dir / kind).rglob("*")) if path.is_file())


def _identifier(path: Path, table_dir: Path) -> bytes:
    """Return the bytes by which a manifest that needs a file names it."""
    kind, first, *_ = path.relative_to(table_dir).parts
    deletions = _DELETIONS.fullmatch(first)
    if kind == "_deletions" and deletions:
        return _varint(int(deletions[1]))
    if kind == "_indices":
        return UUID(first).bytes
    return first.encode()


def _varint(number: int) -> bytes:
    """Return a number as Protocol Buffers write it."""
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])
