"""One writer at a time in an object store, which has no locks: a lease, renewed while its holder lives.

The lease is one small object, written only on condition: if there is none, or if it still is what was read. So of two
that want it one gets it, and who has lost it is told at the next renewal. It is free once it was given back, once its
process is gone from this very machine, or once it was not renewed for ``EXPIRES_SECONDS`` by the store's own clock. Its
holder stops writing well before that (``HELD_SECONDS``).
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from nearid_search.errors import GalleryLockedError, StorageError
from nearid_search.object_storage.access import REQUEST_SECONDS, RETRY_SECONDS
from nearid_search.object_storage.path import ObjectPath, Tag
from nearid_search.processes import is_gone, machine, started

LEASE_NAME = "writer.lease"
CLOCK_NAME = "writer.clock"
RENEW_SECONDS = 10.0
HELD_SECONDS = 30.0
EXPIRES_SECONDS = (
    HELD_SECONDS + REQUEST_SECONDS + RETRY_SECONDS
)  # what was asked of the store before it was lost has ended

_ASK_AGAIN_SECONDS = 0.5
_NO_STATE: Tag = {"e_tag": '"0"', "version": "1"}
_held: dict[str, _Lease] = {}
_taken: dict[str, threading.Lock] = {}


@contextmanager
def writer_lease(folder: ObjectPath, *, wait: float = 0) -> Iterator[None]:
    """Hold the lease of a folder.

    Args:
        folder: of the gallery.
        wait: seconds to wait for another that holds it.

    Raises:
        GalleryLockedError: if another holds it; the message names it.
        StorageError: if the store cannot be written, or does not honour conditions.
    """
    # Within a process, too: a thread that has lost its lease must not go on under another thread's.
    mine = _taken.setdefault(str(folder), threading.Lock())
    deadline = time.monotonic() + wait
    if not mine.acquire(timeout=wait):
        raise GalleryLockedError(f"{folder} is being written by this process {os.getpid()}: wait for it")
    try:
        lease = _acquire(folder, deadline)
        _held[str(folder)] = lease
        try:
            yield
        finally:
            del _held[str(folder)]
            lease.give_back()
    finally:
        mine.release()


def require_lease(path: ObjectPath, *, always: bool = True) -> None:
    """Refuse to write what another may be writing by now.

    Args:
        path: what is to be written.
        always: whether it may not be written without any lease either.

    Raises:
        GalleryLockedError: if the lease of a folder around it is not held any more, or there is none.
    """
    for address in (str(path), *map(str, path.parents)):
        if address in _held:
            _held[address].require()
            return
    if always:
        raise GalleryLockedError(f"{path} is to be written without its gallery's lease")


def append_object(path: ObjectPath, data: bytes, *, length: int) -> None:
    """Add lines to the end of an object; it is written anew, and only if nobody else has written it.

    Args:
        path: the object; it need not exist.
        data: what to add.
        length: bytes of whole lines that it had when it was read; half a line after them is dropped.

    Raises:
        GalleryLockedError: if another process has written it, or may write it now.
        StorageError: if it cannot be written.
    """
    require_lease(path, always=False)
    try:
        before, tag = path.read_tagged()
    except FileNotFoundError:
        before, tag = b"", None
    if len(before) >= length and b"\n" not in before[length:]:
        whole = before[:length] + data
        written = path.create(whole) if tag is None else path.update(whole, tag)
        # Where the answer to the first try got lost on the way, the second finds what the first has written.
        if written is not None or path.read_bytes() == whole:
            return
    raise GalleryLockedError(f"{path} was written by another process meanwhile: give the command again")


class _Lease:
    """A lease that is held and renewed in the background."""

    def __init__(self, path: ObjectPath, claim: dict[str, Any], tag: Tag, asked: float) -> None:
        self._path, self._claim, self._tag, self._renewed = path, claim, tag, asked
        self._lost = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="writer-lease", daemon=True)
        self._thread.start()

    def require(self) -> None:
        if self._lost or _now() - self._renewed > HELD_SECONDS:
            raise GalleryLockedError(
                f"{self._path.parent}: the lease to write was lost, because it could not be renewed in time: what was "
                "acknowledged is kept; give the command again"
            )

    def give_back(self) -> None:
        self._stopped.set()
        self._thread.join()
        if not self._lost:
            with suppress(StorageError):  # it ends by itself
                self._path.update(_as_bytes(self._claim | {"released": True}), self._tag)

    def _keep(self) -> None:
        while not self._stopped.wait(RENEW_SECONDS):
            asked = _now()
            self._claim["renewals"] += 1
            try:
                self._renew()
            except (StorageError, OSError):
                continue  # the store may answer next time; until then `require` counts
            self._renewed = asked
            if self._lost:
                return

    def _renew(self) -> None:
        tag = self._path.update(_as_bytes(self._claim), self._tag)
        if tag is None:
            # A renewal whose answer got lost on the way has changed the tag, too.
            found, tag = _read(self._path)
            self._lost = found.get("token") != self._claim["token"]
        self._tag = tag


def _acquire(folder: ObjectPath, deadline: float) -> _Lease:
    while True:
        asked = _now()
        claim = _claim()
        tag, holder = _try(folder, claim)
        if tag is not None:
            return _Lease(folder / LEASE_NAME, claim, tag, asked)  # type: ignore[arg-type]
        left = deadline - time.monotonic()
        if left <= 0:
            raise GalleryLockedError(f"{folder} is being written by {holder}: wait for it")
        time.sleep(min(_ASK_AGAIN_SECONDS, left))


def _try(folder: ObjectPath, claim: dict[str, Any]) -> tuple[Tag | None, str]:
    """Return the tag of the lease if it is ours now, else who holds it."""
    path = folder / LEASE_NAME
    assert isinstance(path, ObjectPath)  # noqa: S101  (its name is not absolute)
    tag = path.create(_as_bytes(claim))
    if tag is not None:
        _require_conditions(path)
        return tag, ""
    found, tag = _read(path)
    if found.get("token") == claim["token"]:  # the answer to our own request got lost on the way
        return tag, ""
    free = found.get("released") is True or _is_dead(found)
    age = 0.0 if free else _seconds_since_written(path)
    if free or age > EXPIRES_SECONDS:
        _require_conditions(path)
        return path.update(_as_bytes(claim), tag), "another process"
    holder = f"process {found['pid']} on {found['host']} since {found['since']}" if found else "another process"
    return None, f"{holder} (last heard of {age:.0f} s ago; after {EXPIRES_SECONDS:.0f} s it counts as gone)"


def _require_conditions(path: ObjectPath) -> None:
    """Make sure that the store honours the conditions all of this rests on."""
    if path.create(b"") is not None or path.update(b"", _NO_STATE) is not None:
        raise StorageError(
            f"{path.parent}: this store ignores conditions on writing, so two writers would not notice one another: "
            "keep the gallery in another store, or on a disk"
        )


def _read(path: ObjectPath) -> tuple[dict[str, Any], Tag]:
    """Return what a lease says; nothing if it is damaged, and then only its age counts."""
    content, tag = path.read_tagged()
    try:
        found = json.loads(content)
        intact = {"token", "host", "since"} <= set(found) and isinstance(found["pid"], int)
    except (ValueError, TypeError, KeyError):
        intact = False
    return (found if intact else {}), tag


def _seconds_since_written(path: ObjectPath) -> float:
    """Return the age of an object by the store's own clock, which clocks of two machines cannot disagree about."""
    clock = path.with_name(CLOCK_NAME)
    clock.write_bytes(b"")
    return clock.stat().st_mtime - path.stat().st_mtime


def _claim() -> dict[str, Any]:
    return {
        "token": uuid.uuid4().hex,
        "renewals": 0,
        "released": False,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "machine": machine(),
        "started": started(os.getpid()),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _as_bytes(claim: dict[str, Any]) -> bytes:
    return json.dumps(claim).encode()


def _is_dead(found: dict[str, Any]) -> bool:
    """Say whether the holder was a process of this very machine and is gone; of another machine nobody can say."""
    here = machine()
    if here == "" or found.get("machine") != here:
        return False
    since = started(found["pid"])
    return is_gone(found["pid"]) if since is None else since != found.get("started")


def _now() -> float:
    """Return seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
