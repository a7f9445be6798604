"""Rows of a damaged table that can be proved whole, and those that can only be read.

A row is whole if its part of the table is: the version's manifest, the part's data files and the list of deletions are
what was written. Where the table as it is has a damaged part, earlier versions are asked for what it lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.indexer.care.lance_files import list_versions, version_file
from nearid_search.indexer.care.lance_fragments import fragment_files
from nearid_search.indexer.care.set_aside import set_aside
from nearid_search.indexer.lance_panics import panics_as_errors

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 1_024
_LANCE_ERRORS = (ValueError, RuntimeError, OSError)

IsAltered = Callable[[Path], bool]


class DamagedTable:
    """One of Lance's tables of which some files are not what was written.

    Manifests that cannot be believed are set aside, so that the latest version is one that can.

    Args:
        tables_dir: folder of the tables.
        name: of the table.
        is_altered: says whether a file is not what was written.
    """

    def __init__(self, tables_dir: Path, name: str, is_altered: IsAltered) -> None:
        self._tables_dir, self._name = tables_dir, name
        self._dir = tables_dir / f"{name}.lance"
        self._is_altered = is_altered
        self._fell_back = False
        self.table = self._open()

    @property
    def schema(self) -> pa.Schema | None:
        """Its columns; None if no version of it can be opened."""
        return None if self.table is None else self.table.schema

    def whole(self) -> Iterator[tuple[pa.RecordBatch, bool]]:
        """Yield the rows that can be proved whole, and whether they are of the table as it is.

        If that is damaged, those of earlier versions follow, which may have gone since.
        """
        latest = not self._fell_back
        for parts in self._versions():
            yield from ((batch, latest) for whole, ids in parts if whole for batch in self._rows(ids))
            if latest and all(whole for whole, _ in parts):
                return
            latest = False

    def readable(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the latest version that can be read and not be proved, in pieces down to one row."""
        for parts in self._versions():
            yield from (batch for whole, ids in parts if not whole for batch in self._rows(ids))
            return

    def _open(self) -> Any | None:  # noqa: ANN401  (LanceDB's class)
        import lancedb

        while versions := list_versions(self._dir):
            manifest = version_file(self._dir, versions[-1])
            if manifest is None:
                return None
            if not self._is_altered(manifest):
                try:
                    with panics_as_errors():
                        return lancedb.connect(str(self._tables_dir)).open_table(self._name)
                except _LANCE_ERRORS:
                    pass
            self._fell_back = True
            set_aside(manifest)
        return None

    def _versions(self) -> Iterator[list[tuple[bool, list[int]]]]:
        """Yield the parts of each version, the latest first: whether each is whole, and its rows' identifiers."""
        if self.table is None:
            return
        asked: set[tuple[int, ...]] = set()
        for version in reversed(list_versions(self._dir)):
            manifest = version_file(self._dir, version)
            if manifest is None or self._is_altered(manifest):
                continue
            try:
                with panics_as_errors():
                    self.table.checkout(version)
                    found = self.table.search().with_row_id(True).select(["_rowid"]).to_arrow()
                files = fragment_files(manifest.read_bytes())
            except _LANCE_ERRORS:
                continue
            ids_of: dict[int, list[int]] = {}
            for row in found.column("_rowid").to_pylist():
                ids_of.setdefault(row >> 32, []).append(row)
            parts = [(self._is_whole(part, files.get(part, [])), ids) for part, ids in ids_of.items()]
            yield [(whole, ids) for whole, ids in parts if tuple(ids) not in asked]
            asked.update(tuple(ids) for _, ids in parts)

    def _is_whole(self, part: int, files: list[str]) -> bool:
        lists = (self._dir / "_deletions").glob(f"{part}-*")
        return not any(map(self._is_altered, [*(self._dir / "data" / name for name in files), *lists]))

    def _rows(self, ids: list[int]) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            yield from self._read(ids[start : start + _ROWS_AT_ONCE])

    def _read(self, ids: list[int]) -> Iterator[pa.RecordBatch]:
        """Read rows; where some cannot be read, the halves, so that only these are lost."""
        try:
            assert self.table is not None  # noqa: S101  (there are no identifiers without one)
            with panics_as_errors():
                found = self.table.take_row_ids(ids).to_arrow().to_batches()
            yield from found
        except _LANCE_ERRORS:
            if len(ids) > 1:
                yield from self._read(ids[: len(ids) // 2])
                yield from self._read(ids[len(ids) // 2 :])
