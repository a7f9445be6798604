"""Concurrent work goes through one thread in batches; what does not fit into the queue is refused."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from nearid_search.errors import ServiceBusyError


class Work(Protocol):
    """Something to do in a batch.

    Attributes:
        size: how much of a batch it takes, at least 1.
        future: what its owner waits for; ``Batcher`` sets an exception where ``run`` raised one.
    """

    @property
    def size(self) -> int:  # noqa: D102
        ...

    @property
    def future(self) -> Future[Any]:  # noqa: D102
        ...


W = TypeVar("W", bound=Work)


class Batcher(Generic[W]):
    """A thread that runs work in batches, in the order it came.

    Args:
        run: does a batch and resolves the future of each piece of it.
        batch_size: size of a batch; a larger piece of work is a batch of its own.
        wait: seconds that a batch waits for more, while more is expected: some is on its way, or the batch before was
            larger, because callers who were answered together ask again together.
        capacity: size of all work that may wait.
        expects_more: whether anything is on its way here.
    """

    def __init__(
        self,
        run: Callable[[list[W]], None],
        *,
        batch_size: int,
        wait: float,
        capacity: int,
        expects_more: Callable[[], bool] = lambda: False,
    ) -> None:
        self._run, self._expects_more = run, expects_more
        self._batch_size, self._wait, self._capacity = batch_size, wait, capacity
        self._waiting: deque[W] = deque()
        self._size = 0
        self._last_size = 0
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Size of what waits."""
        return self._size

    @property
    def alive(self) -> bool:
        """Whether work is still done."""
        return self._thread.is_alive() and not self._closing

    def submit(self, work: Sequence[W]) -> None:
        """Put work at the end of the queue: all of it, or none.

        Raises:
            ServiceBusyError: if there is no room for it, or the thread is to stop.
        """
        size = sum(piece.size for piece in work)
        with self._changed:
            if self._closing:
                raise ServiceBusyError("the service is stopping: ask another one, or later")
            if self._size + size > self._capacity:
                raise ServiceBusyError(f"{self._size} pictures are waiting, of {self._capacity} that may: ask later")
            self._waiting.extend(work)
            self._size += size
            self._changed.notify()

    def close(self) -> None:
        """Do what waits and stop; work that comes later is refused."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            try:
                self._run(batch)
            except Exception as error:  # noqa: BLE001  (a fault in one batch must not end all later ones)
                for piece in batch:
                    if not piece.future.done():
                        piece.future.set_exception(error)

    def _next_batch(self) -> list[W]:
        """Wait for work; empty once there is none and none will come."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return []
                deadline = time.monotonic() + self._wait
                while self._more_will_come():
                    if not self._changed.wait(deadline - time.monotonic()):
                        break
                if batch := self._take():
                    self._last_size = sum(piece.size for piece in batch)
                    return batch

    def _more_will_come(self) -> bool:
        if self._closing or self._size >= self._batch_size:
            return False
        return self._size < self._last_size or self._expects_more()

    def _take(self) -> list[W]:
        """Take a batch from the queue, without what nobody waits for any more."""
        batch: list[W] = []
        room = self._batch_size
        while self._waiting and (not batch or self._waiting[0].size <= room):
            piece = self._waiting.popleft()
            self._size -= piece.size
            if piece.future.set_running_or_notify_cancel():
                room -= piece.size
                batch.append(piece)
        return batch
