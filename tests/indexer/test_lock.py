"""One writer at a time, tested with real second processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nearid_search.errors import GalleryLockedError, GalleryWriteError
from nearid_search.indexer.lock import writer_lock

HOLDER = """
import sys
from pathlib import Path
from nearid_search.indexer.lock import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_writer(gallery_dir: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(gallery_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    with other_writer(tmp_path) as process:
        named = rf"being written by process {process.pid} on .* since 20"
        with pytest.raises(GalleryLockedError, match=named), writer_lock(tmp_path):
            pytest.fail("two writers")
        # Being refused must not disturb the holder's note.
        with pytest.raises(GalleryLockedError, match=f"process {process.pid} "), writer_lock(tmp_path):
            pytest.fail("two writers")


def test_the_lock_is_free_after_a_clean_end(tmp_path: Path) -> None:
    with other_writer(tmp_path) as process:
        process.communicate("", timeout=30)
        assert process.returncode == 0
    assert not (tmp_path / "writer.json").exists()
    with writer_lock(tmp_path):
        assert (tmp_path / "writer.json").exists()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with other_writer(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        assert (tmp_path / "writer.json").exists()
        with writer_lock(tmp_path):
            assert str(os.getpid()) in (tmp_path / "writer.json").read_text()
    assert not (tmp_path / "writer.json").exists()


def test_a_holder_is_not_taken_for_the_one_before_it(tmp_path: Path) -> None:
    with other_writer(tmp_path) as process:
        note = (tmp_path / "writer.json").read_bytes()
        process.send_signal(signal.SIGKILL)
    # The note of one that was killed is there; who holds the lock now has not written its own yet.
    with writer_lock(tmp_path):
        own = json.loads((tmp_path / "writer.json").read_text())
        for left in (note, json.dumps({**json.loads(note), "pid": os.getpid()}).encode()):  # the number given again
            (tmp_path / "writer.json").write_bytes(left)
            with pytest.raises(GalleryLockedError, match="is being written by another process"), writer_lock(tmp_path):
                pytest.fail("two writers")
        elsewhere = {**own, "host": "another-machine", "pid": 1}
        (tmp_path / "writer.json").write_text(json.dumps(elsewhere))
        with pytest.raises(GalleryLockedError, match="process 1 on another-machine"), writer_lock(tmp_path):
            pytest.fail("two writers")


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    named = f"process {os.getpid()} "
    with writer_lock(tmp_path), pytest.raises(GalleryLockedError, match=named), writer_lock(tmp_path):
        pytest.fail("two writers")


def test_an_error_inside_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyError), writer_lock(tmp_path):
        raise KeyError
    with writer_lock(tmp_path):
        pass


def test_a_damaged_note_does_not_hide_the_refusal(tmp_path: Path) -> None:
    with other_writer(tmp_path):
        (tmp_path / "writer.json").write_text("[1")
        with pytest.raises(GalleryLockedError, match="being written by another process"), writer_lock(tmp_path):
            pytest.fail("two writers")


def test_the_folder_is_made(tmp_path: Path) -> None:
    with writer_lock(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GalleryWriteError, match="cannot write the gallery"), writer_lock(tmp_path / "file" / "gallery"):
        pytest.fail("locked nothing")
