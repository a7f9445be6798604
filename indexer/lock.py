"""One writer at a time: LanceDB lets two handles insert the same new key, so a gallery is locked for writing."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nearid_search.errors import GalleryLockedError, GalleryWriteError
from nearid_search.indexer.care.leaving import leave_noted
from nearid_search.indexer.write_errors import as_write_errors
from nearid_search.object_storage.lease import writer_lease
from nearid_search.object_storage.path import ObjectPath
from nearid_search.processes import boot, started


@contextmanager
def writer_lock(gallery_dir: Path, *, wait: float = 0) -> Iterator[None]:
    """Hold the gallery's writer lock; the system releases it when the process ends, however it ends.

    Before it is given back, sums and second copies of what was written are noted (see ``indexer.care``).

    Args:
        gallery_dir: folder of the gallery; made if missing.
        wait: seconds to wait for another process that holds it.

    Yields:
        Nothing.

    Raises:
        GalleryLockedError: if another process holds the lock; the message names it.
        GalleryWriteError: if the folder cannot be written, or the system refuses what is done under the lock.
        StorageError: if it is in an object store that refuses.
    """
    if isinstance(gallery_dir, ObjectPath):
        with writer_lease(gallery_dir, wait=wait):
            yield
        return
    holder_path = gallery_dir / "writer.json"
    lock = FileLock(gallery_dir / "writer.lock")
    try:
        gallery_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait)
        # The note is only for the message below; the lock itself is the operating system's.
        holder_path.write_text(json.dumps(_this_process()), encoding="utf-8")
    except Timeout:
        raise GalleryLockedError(f"{gallery_dir} is being written by {_describe(holder_path)}: wait for it") from None
    except OSError as error:
        lock.release()
        raise GalleryWriteError(f"cannot write the gallery {gallery_dir}: {error.strerror or error}") from error
    try:
        with as_write_errors(gallery_dir):
            yield
        _leave(gallery_dir)
    except BaseException:
        with suppress(OSError, GalleryWriteError):  # what went wrong first is what is to be told
            _leave(gallery_dir)
        raise
    finally:
        with suppress(OSError):  # the file system may have become read-only; the note is out of date without the lock
            holder_path.unlink()
        lock.release()


def _leave(gallery_dir: Path) -> None:
    try:
        leave_noted(gallery_dir)
    except OSError as error:
        raise GalleryWriteError(
            f"cannot note the checksums of {gallery_dir} ({error.strerror or error}): what was to be written is "
            "written; make room, and the next command that writes notes them"
        ) from error


def _this_process() -> dict[str, Any]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "started": _start_of(os.getpid()), "host": socket.gethostname(), "since": since}


def _describe(holder_path: Path) -> str:
    try:
        holder = json.loads(holder_path.read_text(encoding="utf-8"))
        named = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        here = holder["host"] == socket.gethostname() and holder["started"] is not None
        # A process that was killed leaves its note, and its number may be somebody else's by now.
        return "another process" if here and _start_of(int(holder["pid"])) != holder["started"] else named
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _start_of(pid: int) -> str | None:
    """Return what tells a process from every other that has had its number, on whichever start of this machine.

    None if it has ended or cannot be seen.
    """
    machine, since = boot(), started(pid)
    return f"{machine} {since}" if machine and since else None
