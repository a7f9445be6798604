"""Rows of the ledger of files: read and written; who writes holds the gallery's writer lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nearid_search.indexer.rows import FileRecord, file_records
from nearid_search.indexer.schema import files_schema, missing_columns
from nearid_search.indexer.sql import any_of


def read_records(table: Any, paths: Sequence[str] | None = None) -> Iterator[FileRecord]:  # noqa: ANN401  (LanceDB's class)
    """Yield what is known of every file, or of those at a few stored paths, in no particular order."""
    found = table.search() if paths is None else table.search().where(any_of("path", paths))
    # A ledger of an earlier version lacks the later fields.
    for batch in found.select([name for name in FileRecord._fields if name in table.schema.names]).to_batches():
        yield from file_records(batch)


def write_records(table: Any, records: Sequence[FileRecord], *, known: Iterable[str]) -> None:  # noqa: ANN401
    """Write rows, replacing those of the paths in ``known``."""
    import pyarrow as pa

    known = set(known)
    schema = files_schema()
    for field in missing_columns(table.schema, schema):
        table.add_columns(field)
    for chosen, replaces in (
        ([r for r in records if r.path not in known], False),
        ([r for r in records if r.path in known], True),
    ):
        if not chosen:
            continue
        rows = pa.Table.from_pylist([record._asdict() for record in chosen], schema=schema)
        if replaces:
            table.merge_insert("path").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        else:
            table.add(rows)
