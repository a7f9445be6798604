"""Rows of a table of images: read, put in, changed, moved and deleted; the caller holds the gallery's writer lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.rows import ImageRow
from nearid_search.indexer.schema import CATALOGUE_IDENTITY, EMBEDDING, WHOLE_EMBEDDING, typed_column
from nearid_search.indexer.search.row_keys import Keys, find_keys, key_array
from nearid_search.indexer.sql import any_of, chunks

if TYPE_CHECKING:
    import pyarrow as pa

_KEYS_AT_ONCE = 2_000
_READ_ROWS = 65_536
_FROM_ROW = ("key", "path", "identity", CATALOGUE_IDENTITY, "width", "height", "thumbnail")


def read_vectors(table: Any, column: str, keys: Keys) -> tuple[NDArray[np.float32], int]:  # noqa: ANN401
    """Read a column of vectors into memory.

    Args:
        table: a LanceDB table with the columns of ``images_schema``.
        column: which.
        keys: (N,) all its keys, ascending.

    Returns:
        (N, D) float32 in the order of ``keys``, and how many rows were found; reading ends at one of another key.
    """
    dim = table.schema.field(column).type.list_size
    matrix = np.empty((len(keys), dim), np.float32)
    found = 0
    for batch in table.search().select(["key", column]).to_batches(_READ_ROWS):
        rows = find_keys(keys, key_array(batch.column("key")))
        if (rows < 0).any():
            break
        matrix[rows] = batch.column(column).flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
        found += len(rows)
    return matrix, found


def add_rows(table: Any, rows: Sequence[ImageRow], *, encoder: str) -> None:  # noqa: ANN401  (LanceDB's class)
    """Append images whose keys are not in the table; see ``row_batch``."""
    table.add(row_batch(rows, table.schema, encoder=encoder))


def row_batch(rows: Sequence[ImageRow], schema: pa.Schema, *, encoder: str) -> pa.RecordBatch:
    """Return images as Arrow data.

    Args:
        rows: the images; at least one.
        schema: the columns of ``images_schema`` and any metadata.
        encoder: fingerprint of the encoder that made the embeddings.

    Raises:
        CatalogueError: if a metadata value does not fit its column.
    """
    import pyarrow as pa

    values: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in _FROM_ROW}
    values["encoder"] = [encoder] * len(rows)
    values["indexed_at"] = [datetime.now(UTC)] * len(rows)
    arrays = [
        _vectors([getattr(row, field.name) for row in rows])
        if field.name in (EMBEDDING, WHOLE_EMBEDDING)
        else typed_column(values.get(field.name) or [row.metadata.get(field.name) for row in rows], field)
        for field in schema
    ]
    return pa.record_batch(arrays, schema=schema)


def _vectors(rows: Sequence[NDArray[np.float32]]) -> pa.Array:
    import pyarrow as pa

    flat = np.concatenate(rows).astype(np.float32, copy=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), len(rows[0]))


def change_rows(table: Any, rows: Sequence[dict[str, Any]]) -> None:  # noqa: ANN401  (LanceDB's class)
    """Change some columns of images that are there, in one version of the table.

    Args:
        table: a LanceDB table with the columns of ``images_schema`` and any metadata.
        rows: dictionaries with ``key`` and the columns to change, the same columns in each.

    Raises:
        CatalogueError: if a metadata value does not fit its column.
    """
    import pyarrow as pa

    if not rows:
        return
    fields = [table.schema.field(name) for name in rows[0]]
    changed = pa.table(
        [typed_column([row[field.name] for row in rows], field) for field in fields], schema=pa.schema(fields)
    )
    table.merge_insert("key").when_matched_update_all().execute(changed)


def delete_rows(table: Any, keys: Sequence[str]) -> None:  # noqa: ANN401  (LanceDB's class)
    """Delete images by key; those that are not there do not matter."""
    for chunk in chunks(keys, _KEYS_AT_ONCE):
        table.delete(any_of("key", chunk))


def move_rows(source: Any, target: Any, keys: Sequence[str]) -> None:  # noqa: ANN401  (LanceDB's class)
    """Move images from one table to another; what a crash left in both is found in the target alone afterwards.

    Args:
        source: a LanceDB table that holds the images.
        target: one of the same columns, perhaps fewer metadata.
        keys: which.
    """
    add_columns_of(source, target)
    for chunk in chunks(keys, _KEYS_AT_ONCE):
        condition = any_of("key", chunk)
        there = set(target.search().where(condition).select(["key"]).to_arrow().column("key").to_pylist())
        wanted = [key for key in chunk if key not in there]
        if wanted:
            target.add(as_schema(source.search().where(any_of("key", wanted)).to_arrow(), target.schema))
        source.delete(condition)


def add_columns_of(source: Any, target: Any) -> None:  # noqa: ANN401  (LanceDB's class)
    """Give a table the columns of another that it lacks, such as metadata that came later."""
    missing = [field for field in source.schema if field.name not in target.schema.names]
    if missing:
        target.add_columns(missing)


def as_schema(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns of a schema; those they lack are null, those it lacks are left out."""
    import pyarrow as pa

    columns = [
        rows.column(field.name) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
