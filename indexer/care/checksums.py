"""What each file of a gallery's tables was when it was written, so that a flipped byte in one is noticed.

Lance reads altered values without a word. Its files never change, so whoever has written notes their sums in
``checksums.json`` before it gives the writer lock back, and whoever reads compares. CRC-32 notices every burst of up to
32 bits and all but one in four billion other accidents; SHA-256 would take three times as long.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from nearid_search.durable_file import write_file
from nearid_search.indexer.care.lance_files import table_files
from nearid_search.sealed_json import read_sealed, seal

CHECKSUMS_NAME = "checksums.json"
_FORMAT = 1
_BYTES_AT_ONCE = 1 << 20

_found_whole: dict[Path, tuple[int, int, int, int]] = {}  # what this process has compared, by attributes and sum


class FileSum(NamedTuple):
    """A file when it was written: bytes, CRC-32, and time of change in nanoseconds."""

    size: int
    crc32: int
    mtime_ns: int


Sums = Mapping[str, FileSum]
"""By path from the gallery's folder."""


def read_checksums(folder: Path) -> dict[str, FileSum] | None:
    """Read what was noted; None if nothing was, as by earlier versions of this library.

    Raises:
        ValueError: if the file is not what was written; the message goes on from its name.
    """
    document = read_sealed(folder / CHECKSUMS_NAME)
    if document is None:
        return None
    if document.get("format_version") != _FORMAT:
        raise ValueError(f"has format {document.get('format_version')}, this version reads format {_FORMAT}")
    return {name: FileSum(*map(int, noted.split())) for name, noted in document["files"].items()}


def note_files(folder: Path, *, anew: bool = False) -> None:
    """Note the sums of files that were written since they were last noted; the caller holds the writer lock.

    A sum stays as long as its file has the same size and time of change. Where the list is damaged nothing is noted:
    what can no longer be compared must not pass for whole.

    Args:
        folder: the gallery's folder.
        anew: forget what was noted, and note every file as it is.

    Raises:
        OSError: if a file cannot be read, or the list cannot be written.
    """
    try:
        known = None if anew else read_checksums(folder)
    except ValueError:
        return
    before = known or {}
    now: dict[str, FileSum] = {}
    for path in table_files(folder):
        name, status = path.relative_to(folder).as_posix(), path.stat()
        noted = before.get(name)
        unchanged = noted is not None and (noted.size, noted.mtime_ns) == (status.st_size, status.st_mtime_ns)
        now[name] = noted if noted and unchanged else FileSum(status.st_size, _crc32(path), status.st_mtime_ns)
    if now and now != known:
        _write(folder, now)


def forget_files(folder: Path, below: str) -> None:
    """Forget the sums of files below a folder of a gallery, because others of the same names will take their place.

    Raises:
        OSError: if the list cannot be written.
    """
    try:
        known = read_checksums(folder) or {}
    except ValueError:
        return
    kept = {name: noted for name, noted in known.items() if not name.startswith(f"{below}/")}
    if kept != known:
        _write(folder, kept)


def altered_files(folder: Path, paths: Iterable[Path], sums: Sums) -> list[Path]:
    """Return which of some files are not what was written; those that nobody has noted pass.

    A process reads a file once, and again if its size, inode or time of change is another; see ``read_again``.

    Args:
        folder: the gallery's folder.
        paths: the files; one that is not there passes, because another process may have cleaned up.
        sums: what ``read_checksums`` returned.
    """
    return [path for path in paths if _is_altered(path, sums.get(path.relative_to(folder).as_posix()))]


def read_again() -> None:
    """Forget which files this process has found whole."""
    _found_whole.clear()


def _is_altered(path: Path, noted: FileSum | None) -> bool:
    if noted is None:
        return False
    try:
        status = path.stat()
        if status.st_size != noted.size:
            return True
        attributes = (status.st_size, status.st_ino, status.st_mtime_ns, noted.crc32)
        if _found_whole.get(path) == attributes:
            return False
        altered = _crc32(path) != noted.crc32
    except FileNotFoundError:
        return False
    if not altered:
        _found_whole[path] = attributes
    return altered


def _crc32(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while block := file.read(_BYTES_AT_ONCE):
            total = zlib.crc32(block, total)
    return total


def _write(folder: Path, sums: Sums) -> None:
    files = {name: " ".join(map(str, noted)) for name, noted in sums.items()}
    write_file(folder / CHECKSUMS_NAME, seal({"format_version": _FORMAT, "files": files}))
