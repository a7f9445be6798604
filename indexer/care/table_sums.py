"""Which files of a gallery's tables are not what was written, and what depends on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from nearid_search.indexer.care.checksums import CHECKSUMS_NAME, Sums, altered_files, read_again, read_checksums
from nearid_search.indexer.care.findings import Finding, Part
from nearid_search.indexer.care.lance_files import list_versions, needs, table_files, version_file

OnFile = Callable[[int, int], None]
"""Told how many files have been looked at, and of how many."""

_REBUILT = "the tables are made again: whole rows are kept, the others encoded again from their pictures"


class TableSums(NamedTuple):
    """What comparing found: how many files there are, and what is wrong."""

    files: int
    findings: list[Finding]


def check_sums(folder: Path, tables: str, *, on_file: OnFile) -> TableSums:
    """Compare every file of the tables with what was noted when it was written.

    Args:
        folder: the gallery's folder.
        tables: name of the folder of the tables in force.
        on_file: told of every file.
    """
    files = list(table_files(folder))
    try:
        sums = read_checksums(folder)
    except ValueError as error:
        what, mended = str(error), "made anew once all else has been found whole"
        return TableSums(len(files), [Finding(Part.CHECKSUMS, CHECKSUMS_NAME, what, mended)])
    if sums is None:
        return TableSums(len(files), [_unprotected("is missing: an earlier version wrote this gallery", len(files))])
    read_again()
    names = {path.relative_to(folder).as_posix() for path in files}
    gone = [folder / name for name in sums if name not in names]
    altered = []
    for number, path in enumerate(files, start=1):
        altered += altered_files(folder, [path], sums)
        on_file(number, len(files))
    found = [_finding(folder, tables, path, "was altered since it was written") for path in altered]
    found += [_finding(folder, tables, path, "is missing") for path in gone if is_needed(path, folder / tables)]
    return TableSums(len(files), [*found, *_not_noted(names, sums)])


def is_needed(path: Path, tables_dir: Path) -> bool:
    """Say whether the tables as they are now are read from a file."""
    if not path.is_relative_to(tables_dir):
        return False
    table_dir = tables_dir / path.relative_to(tables_dir).parts[0]
    versions = list_versions(table_dir)
    manifest = version_file(table_dir, versions[-1]) if versions else None
    return manifest is not None and (path == manifest or needs(manifest.read_bytes(), path, table_dir))


def _finding(folder: Path, tables: str, path: Path, what: str) -> Finding:
    name = path.relative_to(folder).as_posix()
    if is_needed(path, folder / tables):
        return Finding(Part.TABLES, name, what, _REBUILT)
    if path.parent.name == "tags":
        return Finding(Part.PAST, name, what, f"set aside; the tag {path.stem} is forgotten")
    return Finding(Part.PAST, name, what, "set aside; versions of the gallery that need it can no longer be restored")


def _not_noted(names: set[str], sums: Sums) -> Iterator[Finding]:
    count = len(names - sums.keys())
    if count:
        yield _unprotected(f"lacks {count} files, as after a crash", count)


def _unprotected(what: str, count: int) -> Finding:
    mended = f"{count} files are noted as they are, which the next command that writes does as well"
    return Finding(Part.CHECKSUMS, CHECKSUMS_NAME, what, mended, damage=False)
