"""Second copies of the two files that nothing else could be made from again: the manifest and the log of corrections.

The copy of the log is also the witness of its length: a log that lost its last lines would otherwise look like one
that never had them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nearid_search.durable_file import write_file
from nearid_search.errors import GalleryCorruptError
from nearid_search.sealed_json import read_sealed

COPY_SUFFIX = ".copy"


def copy_of(path: Path) -> Path:
    """Return where the second copy of a file is."""
    return path.with_name(path.name + COPY_SUFFIX)


def copy_sealed(path: Path) -> None:
    """Bring the second copy of a sealed JSON file up to date; a file that is missing or damaged is not copied.

    Raises:
        OSError: if the copy cannot be written.
    """
    try:
        if read_sealed(path) is None:
            return
    except ValueError:
        return
    content, copy = path.read_bytes(), copy_of(path)
    if not copy.exists() or copy.read_bytes() != content:
        write_file(copy, content)


def copy_log(path: Path) -> None:
    """Add to the second copy of a log the whole lines that it lacks; where the two differ neither is touched.

    Raises:
        OSError: if the copy cannot be written.
    """
    if not path.exists():
        return
    content, copy = path.read_bytes(), copy_of(path)
    content = content[: content.rfind(b"\n") + 1]
    copied = copy.read_bytes() if copy.exists() else b""
    if not content.startswith(copied) or len(content) == len(copied):
        return
    if not copied:
        write_file(copy, content)
        return
    with copy.open("ab") as file:
        file.write(content[len(copied) :])
        file.flush()
        os.fsync(file.fileno())


def joined_log(path: Path, count: Callable[[str], int]) -> bytes | None:
    """Return what a damaged log was: its second copy, and the lines that came after that was made, if they are whole.

    Args:
        path: the log.
        count: says how many corrections the file of a name in its folder has.

    Returns:
        The content; None if the copy is missing or damaged as well.
    """
    copy, tried = copy_of(path), path.with_name(f"{path.name}.tmp")
    if not copy.exists():
        return None
    copied = copy.read_bytes()
    rest = path.read_bytes()[len(copied) :] if path.exists() else b""
    try:
        for content in (copied + rest, copied):
            tried.write_bytes(content)
            with suppress(GalleryCorruptError):
                count(tried.name)
                return content
        return None
    finally:
        tried.unlink()
