"""Progress bars on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn


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
