"""Panics inside Lance, which damaged files cause, as errors like its others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Turn a panic of Lance's Rust code into a ``RuntimeError``; its bindings raise a class that they do not export.

    Raises:
        RuntimeError: for a panic.
    """
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "RustPanic":
            raise
        raise RuntimeError(f"Lance gave up: {error}") from error
