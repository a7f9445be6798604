"""Apply a function ahead of its consumer, in threads, in order and in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int = 0, ahead: int = 32
) -> Generator[Result]:
    """Yield ``function(item)`` for every item, in the order given.

    Args:
        function: what to apply; called from several threads at once.
        items: its arguments; taken only as results are.
        threads: how many; 0 means one a processor core.
        ahead: items in flight at most, so memory does not grow with their number.

    Yields:
        One result an item. What ``function`` raises is raised here, at its place in the order.
    """
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
