"""What happened at every step of a run: one JSON line a step and, if wanted, TensorBoard's event files."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nearid_search.durable_file import write_file
from nearid_search.errors import MissingExtraError, TrainingError

LOG_NAME = "train.jsonl"
TENSORBOARD_FOLDER = "tensorboard"


class RunLog:
    """Writes a run's log; a context manager.

    Args:
        folder: of the run.
        step: steps done before; the lines of later ones are dropped, because they will be done again.
        tensorboard: write event files to ``tensorboard`` in the folder, too.

    Raises:
        MissingExtraError: if TensorBoard is wanted and not installed.
        TrainingError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, *, step: int, tensorboard: bool = False) -> None:
        self._path = folder / LOG_NAME
        with self._writing():
            lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
            write_file(self._path, b"".join(lines[:step]))
            self._events = _open_events(folder / TENSORBOARD_FOLDER, step) if tensorboard else None
            self._lines = self._path.open("a", encoding="utf-8")

    def add(self, step: int, values: Mapping[str, float | str | None]) -> None:
        """Write the figures of a step; a crash later on does not lose them.

        Args:
            step: counted from 1.
            values: by name, JSON-ready; TensorBoard gets those that are numbers.

        Raises:
            TrainingError: if the log cannot be written.
        """
        # JSON has no infinity, which a gradient in half precision may be.
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        with self._writing():
            self._lines.write(json.dumps({"step": step, **finite}) + "\n")
            self._lines.flush()
            if self._events is not None:
                for name, value in finite.items():
                    if isinstance(value, int | float):
                        self._events.add_scalar(name, value, step)
                self._events.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"cannot write {self._path}: {error.strerror or error}; the best head so far is kept"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A line that did not fit on the disk is tried once more here: that error is known already.
        with self._writing() if error is None else suppress(OSError):
            self._lines.close()
            if self._events is not None:
                self._events.close()


def _open_events(folder: Path, step: int) -> Any:  # noqa: ANN401  (a SummaryWriter)
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingExtraError("tensorboard", "tensorboard", "a log for TensorBoard")
    from torch.utils.tensorboard import SummaryWriter

    # Whatever a run that was stopped wrote past its checkpoint is hidden by the steps done again.
    return SummaryWriter(str(folder), purge_step=step + 1)
