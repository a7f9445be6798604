"""One writer at a time in an object store: whatever happens to a writer, there are never two."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bare_store import bare_store
from correction_cases import made_gallery

from nearid_search.durable_file import remove_file, write_file
from nearid_search.errors import GalleryLockedError, StorageError
from nearid_search.indexer.corrections.unused_uploads import clear_uploads
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import DRAFT_NAME
from nearid_search.object_storage import lease
from nearid_search.object_storage.path import ObjectPath, object_path

HOLD = """
import sys, time
from nearid_search.indexer.corrections.unused_uploads import clear_uploads
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import DRAFT_NAME
from nearid_search.object_storage.path import object_path
with writer_lock(object_path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


COUNT = """
import sys
from nearid_search.indexer.corrections.unused_uploads import clear_uploads
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import DRAFT_NAME
from nearid_search.object_storage import lease
from nearid_search.object_storage.path import object_path
lease._ASK_AGAIN_SECONDS = 0.02
folder = object_path(sys.argv[1])
for _ in range(5):
    with writer_lock(folder, wait=60):
        counter = folder / "counter"
        counter.write_bytes(b"%d" % (int(counter.read_bytes()) + 1))
"""


def _object(path: Path) -> ObjectPath:
    assert isinstance(path, ObjectPath)
    return path


def test_a_second_writer_is_told_who_writes(folder: ObjectPath) -> None:
    with writer_lock(folder):
        started = time.monotonic()
        with pytest.raises(GalleryLockedError, match=f"{folder} is being written by this process {os.getpid()}: wait"):
            writer_lock(folder).__enter__()
        with pytest.raises(GalleryLockedError), writer_lock(folder, wait=0.2):
            pass
        assert time.monotonic() - started > 0.2
    with writer_lock(folder):
        pass


def test_a_writer_that_was_killed_on_this_machine_holds_nothing(folder: ObjectPath) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(GalleryLockedError, match=f"by process {process.pid} on "), writer_lock(folder):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with writer_lock(folder):
            pass


def test_several_that_write_at_once_lose_nothing(folder: ObjectPath) -> None:
    (folder / "counter").write_bytes(b"0")
    writers = [subprocess.Popen([sys.executable, "-c", COUNT, str(folder)]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert (folder / "counter").read_bytes() == b"15"


def _of_another_machine(folder: ObjectPath, **changes: object) -> None:
    """Leave the lease as if a process of another machine held it."""
    with writer_lock(folder):
        claim = json.loads((folder / lease.LEASE_NAME).read_bytes())
    claim |= {"machine": "another", "host": "elsewhere", "pid": 1, "released": False, "token": "theirs", **changes}
    (folder / lease.LEASE_NAME).write_bytes(json.dumps(claim).encode())


def test_another_machine_is_given_time_by_the_clock_of_the_store(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    _of_another_machine(folder)
    with pytest.raises(GalleryLockedError, match=r"process 1 on elsewhere .* after 150 s it counts as gone"):
        writer_lock(folder).__enter__()
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", 1.0)
    with writer_lock(folder, wait=10):
        assert json.loads((folder / lease.LEASE_NAME).read_bytes())["token"] != "theirs"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"7", b"\xff{"])
def test_a_damaged_lease_is_waited_for_too(folder: ObjectPath, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / lease.LEASE_NAME).write_bytes(content)
    with pytest.raises(GalleryLockedError, match="by another process"), writer_lock(folder):
        pass
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", -1.0)
    with writer_lock(folder):
        pass


def test_it_is_renewed_while_it_is_held(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    with writer_lock(folder):
        deadline = time.monotonic() + 10
        while json.loads((folder / lease.LEASE_NAME).read_bytes())["renewals"] < 3:
            assert time.monotonic() < deadline
        lease.require_lease(folder)
    assert json.loads((folder / lease.LEASE_NAME).read_bytes())["released"] is True


def _write_for(seconds: float, path: Path) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        write_file(path, b"mine")


def test_who_has_lost_it_writes_no_more(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    with writer_lock(folder):
        write_file(folder / "manifest.json", b"mine")
        claim = json.loads((folder / lease.LEASE_NAME).read_bytes())
        (folder / lease.LEASE_NAME).write_bytes(json.dumps(claim | {"token": "theirs"}).encode())
        with pytest.raises(GalleryLockedError, match="the lease to write was lost"):
            _write_for(10.0, folder / "manifest.json")
    # It is not ours to give back.
    assert json.loads((folder / lease.LEASE_NAME).read_bytes())["token"] == "theirs"


def test_who_could_not_renew_it_in_time_writes_no_more(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    with writer_lock(folder):
        monkeypatch.setattr(lease, "HELD_SECONDS", 0.0)
        with pytest.raises(GalleryLockedError, match="give the command again"):
            write_file(folder / "manifest.json", b"late")
    assert not (folder / "manifest.json").exists()


def test_who_has_lost_it_deletes_no_more(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another may just be enrolling the picture of which nothing spoke when this one looked."""
    with writer_lock(folder):
        gallery = made_gallery(folder, {"cup": 1})
    upload, draft, unfinished = folder / f"uploads/{64 * '0'}.png", folder / DRAFT_NAME, folder / "uploads/0.png.tmp"
    for path in (upload, draft, unfinished):
        path.write_bytes(b"?")
    deletions = (lambda: clear_uploads(gallery), lambda: remove_file(draft), lambda: remove_file(unfinished))
    with writer_lock(folder):
        for delete in deletions:
            with monkeypatch.context() as late:
                late.setattr(lease, "HELD_SECONDS", 0.0)
                with pytest.raises(GalleryLockedError, match="the lease to write was lost"):
                    delete()
        assert all(path.exists() for path in (upload, draft, unfinished))
        for delete in deletions:
            delete()
        assert not any(path.exists() for path in (upload, draft, unfinished))
    with pytest.raises(GalleryLockedError, match="without its gallery's lease"):
        remove_file(upload)


def test_lines_are_added_only_to_what_was_read(folder: ObjectPath) -> None:
    path = _object(folder / "log.jsonl")
    lease.append_object(path, b"one\n", length=0)
    lease.append_object(path, b"two\n", length=4)
    with pytest.raises(GalleryLockedError, match="written by another process"):
        lease.append_object(path, b"three\n", length=4)
    assert path.read_bytes() == b"one\ntwo\n"
    path.write_bytes(b"one\ntw")  # as copied from a disk after a crash
    lease.append_object(path, b"two\n", length=4)
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_store_that_ignores_conditions_is_refused(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    with bare_store() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(StorageError, match="ignores conditions on writing"), writer_lock(folder):
            pass


def test_who_asks_without_permission_is_told(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    with bare_store(status=403, code="AccessDenied") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(StorageError, match=r"the store refuses \(403 Forbidden, AccessDenied\): check the cred"):
            folder.read_bytes()


def test_a_store_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, s3: object) -> None:  # noqa: ARG001
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    path = object_path("s3://things/gallery")
    assert path is not None
    with pytest.raises(StorageError, match="s3://things/gallery: the store gives no answer: check the network"):
        path.read_bytes()
