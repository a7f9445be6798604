"""LanceDB's tables wherever they are; in an object store they are written only while their gallery's lease is held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nearid_search.errors import StorageError
from nearid_search.object_storage.access import lance_options, reason_of
from nearid_search.object_storage.lease import require_lease
from nearid_search.object_storage.path import ObjectPath

_WRITES = {
    "add",
    "add_columns",
    "create_index",
    "delete",
    "drop_index",
    "merge_insert",
    "optimize",
    "restore",
    "update",
}
_FROM_STORE = ("RetryError", "Generic {")  # how the errors of LanceDB's store begin


class _InStore:
    """An object of LanceDB's: writes need the lease, and a store's answer becomes an error of this library."""

    def __init__(self, inner: Any, folder: ObjectPath) -> None:  # noqa: ANN401  (LanceDB's class)
        self._inner = inner
        self._folder = folder

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (whatever LanceDB's has)
        if name in _WRITES:
            require_lease(self._folder)
        return self._spoken(lambda: getattr(self._inner, name))

    def __call__(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        return self._spoken(lambda: self._inner(*args, **named))

    def _spoken(self, make: Callable[[], Any]) -> Any:  # noqa: ANN401
        try:
            made = make()
        except (ValueError, RuntimeError, OSError) as error:
            raise store_error(self._folder, error) or error from None
        ours = callable(made) or type(made).__module__.partition(".")[0] == "lancedb"
        return _InStore(made, self._folder) if ours else made


def connect_tables(folder: Path) -> Any:  # noqa: ANN401  (LanceDB's class)
    """Open the database of a folder of tables.

    Raises:
        StorageError: if it is in an object store that refuses or does not answer.
    """
    import lancedb

    if not isinstance(folder, ObjectPath):
        return lancedb.connect(str(folder))
    try:
        return lancedb.connect(str(folder), storage_options=lance_options(folder.scheme))
    except (ValueError, RuntimeError, OSError) as error:
        raise StorageError(f"{folder}: {reason_of(str(error))}") from error


def guarded(table: Any, folder: Path) -> Any:  # noqa: ANN401  (LanceDB's class)
    """Return a table to work with: on a disk as it is, in an object store guarded; see ``_InStore``."""
    return _InStore(table, folder) if isinstance(folder, ObjectPath) else table


def store_error(folder: Path, error: Exception) -> StorageError | None:
    """Return what an error of LanceDB means if it comes from an object store, else None."""
    text = str(error)
    if not (isinstance(folder, ObjectPath) and any(mark in text for mark in _FROM_STORE)):
        return None
    return StorageError(f"{folder}: {reason_of(text)}")
