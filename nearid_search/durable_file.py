"""Files that a crash leaves as they were or as they should be, never in between; in an object store they always are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nearid_search.object_storage.lease import require_lease
from nearid_search.object_storage.path import ObjectPath


def write_file(path: Path, content: bytes) -> None:
    """Write a file; when this returns, it is on disk under its name.

    Args:
        path: the file, in a folder that exists.
        content: all of it.

    Raises:
        GalleryLockedError: if it belongs to a gallery in an object store and another process may be writing that now.
        OSError: if it cannot be written; an earlier file of that name is still there.
    """
    if isinstance(path, ObjectPath):
        require_lease(path, always=False)
        path.write_bytes(content)
        return
    write_files({path: content})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write several files of one folder, all of them to disk before the first takes its name.

    Args:
        contents: what each file holds; they take their names in this order.

    Raises:
        OSError: if one cannot be written.
    """
    if any(isinstance(path, ObjectPath) for path in contents):
        for path, content in contents.items():
            write_file(path, content)
        return
    temporaries = {path: path.with_name(f"{path.name}.tmp") for path in contents}
    try:
        for path, temporary in temporaries.items():
            with temporary.open("wb") as file:
                file.write(contents[path])
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise
    for path, temporary in temporaries.items():
        rename(temporary, path)


def publish(temporary: Path, target: Path) -> None:
    """Give a file that something else has written its name, once its content is on disk.

    Args:
        temporary: the file, complete.
        target: its name, in the same folder.

    Raises:
        OSError: if it cannot be written or renamed.
    """
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    rename(temporary, target)


def rename(source: Path, target: Path) -> None:
    """Rename within a folder and wait until the folder's new content is on disk.

    Raises:
        OSError: if it cannot be renamed.
    """
    if isinstance(source, ObjectPath):
        # Two steps, and not one: whoever finds both knows that the second is missing.
        write_file(target, source.read_bytes())
        remove_file(source)
        return
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_file(path: Path) -> None:
    """Delete a file of a gallery, if it is there.

    Raises:
        GalleryLockedError: if the gallery is in an object store and another process may be writing it now.
        OSError: if it cannot be deleted.
    """
    if isinstance(path, ObjectPath):
        require_lease(path)
    path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder and everything in it.

    Raises:
        OSError: if something cannot be deleted.
    """
    if isinstance(folder, ObjectPath):
        require_lease(folder)
        folder.remove_folder()
    else:
        shutil.rmtree(folder)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file piece by piece; it takes its name when all of it is on disk.

    Args:
        path: the file, in a folder that exists; an earlier file of that name stays until then, and for good if the
            block raises.

    Yields:
        What to write to.

    Raises:
        OSError: if it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    rename(temporary, path)
