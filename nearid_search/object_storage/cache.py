"""What this machine keeps of a gallery in an object store, so that it is downloaded once.

Only files that never change under their name are kept: those of a search index, a head, and the rows of one state of
the tables. What they hold is compared with a SHA-256 that came from the gallery before it is believed, so a damaged
copy is downloaded anew and never used. The folder is this user's; deleting it costs a download.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from nearid_search.errors import IndexUnusableError, StorageError
from nearid_search.object_storage.path import ObjectPath

CACHE_VARIABLE = "NEARID_CACHE"
FORGET_SECONDS = 600.0


def cache_root() -> Path:
    """Return the folder for what is kept: ``NEARID_CACHE``, else ``nearid-search`` in the user's cache."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(os.path.abspath(named))
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nearid-search"


def kept_folder(folder: Path) -> Path:
    """Return where a folder of an object store is kept here; made if missing, for this user alone.

    Args:
        folder: of a gallery, or one below.

    Raises:
        StorageError: if it cannot be made.
    """
    kept = cache_root() / "galleries" / hashlib.sha256(str(folder).encode()).hexdigest()[:32]
    try:
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_keep(kept, error) from error
    return kept


def kept_file(path: Path, *, size: int, sha256: str, compare: bool) -> Path:
    """Return the copy of an object on this machine, downloaded if it is not there or damaged.

    Args:
        path: the object; its content never changes.
        size: its bytes.
        sha256: its SHA-256, in hex; compared when the object is downloaded.
        compare: whether the copy is compared with it, too. Else its size is, and its reader looks at what it reads.

    Raises:
        FileNotFoundError: if there is no such object.
        IndexUnusableError: if the object holds something else.
        StorageError: if it cannot be downloaded, or not be kept.
    """
    assert isinstance(path, ObjectPath)  # noqa: S101  (what is on a disk needs no copy)
    copy = kept_folder(path.parent) / path.name
    there = copy.is_file() and copy.stat().st_size == size
    if not there or (compare and sha256_of(copy) != sha256):
        _download(path, copy, sha256)
    return copy


def keep(copy: Path, write: Callable[[Path], object]) -> None:
    """Write a file of the cache so that readers find it whole or not at all.

    Args:
        copy: the file.
        write: writes the content to the path it is given.

    Raises:
        StorageError: if it cannot be written.
    """
    temporary = _temporary(copy)
    try:
        write(temporary)
        temporary.replace(copy)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _cannot_keep(copy, error) from error


def forget_others(kept: Path, names: Collection[str]) -> None:
    """Delete what is kept in a folder and not in force any more; who has one mapped keeps it.

    What is younger than ``FORGET_SECONDS`` stays: another process may have fetched it just now, from a newer gallery.
    """
    for path in kept.iterdir():
        with suppress(FileNotFoundError):
            if path.name not in names and time.time() - path.stat().st_mtime > FORGET_SECONDS:
                path.unlink()


def keep_as(temporary: Path, target: ObjectPath) -> None:
    """Upload a file, and keep it as the copy of what it became.

    Args:
        temporary: the file, in the folder that ``kept_folder`` returned.
        target: its address.

    Raises:
        StorageError: if it cannot be uploaded.
    """
    target.upload(temporary)
    temporary.replace(temporary.with_name(target.name))


def sha256_of(copy: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with copy.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(path: ObjectPath, copy: Path, sha256: str) -> None:
    temporary = _temporary(copy)
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as file:
            for piece in path.download():
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != sha256:
            raise IndexUnusableError(f"{path} was altered since it was written")
        temporary.replace(copy)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _cannot_keep(copy, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.{uuid.uuid4().hex[:8]}.tmp")


def _cannot_keep(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be kept ({error.strerror or error}): make room, or name another folder with {CACHE_VARIABLE}"
    )
