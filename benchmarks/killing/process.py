"""Start a process that is killed at a chosen point: at a moment, or at a change that it makes below a folder."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("count_changes.c")
_SECONDS = 300


@dataclass(frozen=True)
class Point:
    """Where a process is killed.

    Attributes:
        change: number of the change below the folder that it does not live to make whole, from 1; None to go by time.
        seconds: since its start; None to go by changes. With neither it is not killed at all.
    """

    change: int | None = None
    seconds: float | None = None


NOWHERE = Point()


@dataclass
class Watched:
    """A process that runs, or has run.

    Attributes:
        process: the process.
        stderr: what it has written there, line by line, as it comes.
    """

    process: subprocess.Popen[str]
    count_file: Path | None
    stderr: list[str] = field(default_factory=list)
    said: threading.Condition = field(default_factory=threading.Condition)

    @property
    def changes(self) -> int:
        """How many changes it has made below the folder; 0 where they are not counted."""
        return 0 if self.count_file is None else int.from_bytes(self.count_file.read_bytes()[:8], sys.byteorder)

    def wait_for(self, word: str) -> str | None:
        """Wait for a line on stderr with a word in it; None if the process ends without one."""
        with self.said:
            while True:
                found = next((line for line in self.stderr if word in line), None)
                if found is not None or self.process.poll() is not None:
                    return found
                self.said.wait(0.05)

    def finish(self) -> tuple[int, str]:
        """Wait until it ends; return its exit status, negative for a signal, and its standard output."""
        assert self.process.stdout is not None
        printed = self.process.stdout.read()
        return self.process.wait(_SECONDS), printed


@contextmanager
def watched(command: Sequence[str], folder: Path, point: Point = NOWHERE) -> Iterator[Watched]:
    """Run a command of Python's, to be killed at a point.

    Args:
        command: what follows the interpreter.
        folder: absolute; changes below it count.
        point: where to kill it.

    Yields:
        The process; it is killed at the end, if it still runs.

    Raises:
        RuntimeError: if changes are to be counted and nothing here compiles C.
    """
    counting = point.seconds is None
    with tempfile.TemporaryDirectory() as scratch:
        count_file = Path(scratch) / "count" if counting and can_count() else None
        if point.change is not None and count_file is None:
            raise RuntimeError("changes cannot be counted here: there is no C compiler (cc)")
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **_environment(count_file, folder, point)},
        )
        run = Watched(process, count_file)
        reader = threading.Thread(target=_read, args=(run,), daemon=True)
        reader.start()
        timer = threading.Timer(point.seconds or _SECONDS, process.kill)
        timer.start()
        try:
            yield run
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
            process.wait()
            reader.join()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def can_count() -> bool:
    """Say whether changes can be counted here, which takes a C compiler."""
    return shutil.which("cc") is not None


def _environment(count_file: Path | None, folder: Path, point: Point) -> dict[str, str]:
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if count_file is None:
        return paths
    count_file.write_bytes(bytes(8))
    return paths | {
        "LD_PRELOAD": str(_compiled()),
        "CHANGES_BELOW": str(folder),
        "CHANGES_COUNT": str(count_file),
        "CHANGES_LAST": str(point.change or 0),
    }


@functools.cache
def _compiled() -> Path:
    kept = tempfile.TemporaryDirectory(prefix="count-changes-")
    _KEPT.append(kept)
    library = Path(kept.name) / "count_changes.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _read(run: Watched) -> None:
    assert run.process.stderr is not None
    for line in run.process.stderr:
        with run.said:
            run.stderr.append(line)
            run.said.notify_all()
