"""A small file system of its own, to fill."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted file system.

    Attributes:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, left: int = 0) -> None:
        """Leave no more than so many bytes free, to a page."""
        status = os.statvfs(self.folder)
        pages = max(0, status.f_bavail * status.f_frsize - left) // 4096 + (not left)
        with suppress(OSError), self._filler.open("ab", buffering=0) as file:
            for _ in range(pages):
                file.write(bytes(4096))

    def free(self) -> None:
        """Undo ``fill``."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path, *, size: int) -> Iterator[SmallDisk]:
    """Mount a file system of ``size`` bytes; skip the test where that is not allowed."""
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no program to mount a file system with")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a file system in memory cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a memory map of a file there may still be open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
