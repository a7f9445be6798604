"""Progress bars on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


class Bars:
    """One or more bars, which appear when started and stop with the context.

    Args:
        columns: what a line consists of.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        self._bar = Progress(*columns, console=Console(stderr=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Stopping a bar that never ran prints an empty line.
        if self._bar.live.is_started:
            self._bar.stop()


class OneBar(Bars):
    """One bar over things that are counted.

    Args:
        name: what is done to them.
        quiet: show none.
    """

    def __init__(self, name: str, *, quiet: bool) -> None:
        super().__init__(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._quiet = quiet
        self._task = self._bar.add_task(name, total=None)

    def advance(self, done: int, total: int) -> None:
        """Move the bar."""
        if not self._quiet:
            self._bar.start()
            self._bar.update(self._task, completed=done, total=total)
