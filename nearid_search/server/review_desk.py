"""What may be wrong in the gallery, looked for in the background: a large one takes longer than anybody waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from nearid_search.indexer.review.suggestions import suggest_corrections
from nearid_search.server.snapshot import Snapshot
from nearid_search.suggestion import Suggestions

_KEPT = 3  # looks that can be asked for: one that is finished, one that goes on, one that waits


class _StoppedError(Exception):
    """The service is stopping."""


@dataclass(eq=False)
class Look:
    """One look through the gallery.

    Attributes:
        number: 1 for the first; a later look shows a later state.
        snapshot: the state that is looked through; None until it begins.
        done: views looked at.
        total: views to be looked at; 0 until that is known.
        found: what was found.
    """

    number: int
    found: Future[Suggestions]
    snapshot: Snapshot | None = None
    done: int = 0
    total: int = 0

    @property
    def has_failed(self) -> bool:
        """Whether it ended without having found anything out."""
        return self.found.done() and self.found.exception() is not None


class ReviewDesk:
    """Looks through the gallery once for each of its states that somebody asks about, one look at a time.

    Args:
        current: gives the gallery as it is.
    """

    def __init__(self, current: Callable[[], Snapshot]) -> None:
        self._current = current
        self._looks: deque[Look] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reviewer")

    def look(self, number: int | None = None) -> Look:
        """Return a look at the gallery as it is, which begins now if there is none.

        Args:
            number: a look that was begun before. It is returned if it is still known, even if the gallery has changed
                since: where others write all the time, whoever waits would never see one that is finished.
        """
        with self._lock:
            if known := next((look for look in self._looks if look.number == number and not look.has_failed), None):
                return known
            latest = self._looks[-1] if self._looks else None
            waits = latest is not None and latest.snapshot is None and not latest.has_failed
            if latest is None or not (waits or latest.snapshot is self._current()) or latest.has_failed:
                latest = Look(1 if latest is None else latest.number + 1, Future())
                latest.found.set_running_or_notify_cancel()  # who waits no more cancels nothing
                self._looks.append(latest)
                self._pool.submit(self._run, latest)
            return latest

    def close(self) -> None:
        """Break off and stop."""
        self._stopped.set()
        self._pool.shutdown()

    def _run(self, look: Look) -> None:
        def note(done: int, total: int) -> None:
            look.done, look.total = done, total
            if self._stopped.is_set():
                raise _StoppedError

        with self._lock:
            look.snapshot = self._current()
        try:
            note(0, 0)
            gallery = look.snapshot.engine.gallery
            look.found.set_result(suggest_corrections(gallery, on_views=note, on_warning=lambda _line: None))
        except Exception as error:  # noqa: BLE001  (handed to those who wait)
            look.found.set_exception(error)
