"""Files of rows, written a batch at a time: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nearid_search.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("csv", "jsonl", "parquet")

WriteBatch = Callable[["pa.RecordBatch"], None]


def file_format(path: Path, named: str | None) -> str:
    """Return the format of a file: the one that was named, else that of its suffix.

    Raises:
        ConfigError: if it is none of ``FORMATS``.
    """
    found = named or path.suffix.lower().removeprefix(".")
    if found not in FORMATS:
        raise ConfigError(f"cannot tell the format of {path}: name it .csv, .jsonl or .parquet, or give --format")
    return found


@contextmanager
def row_writer(file: BinaryIO, form: str, schema: pa.Schema) -> Iterator[WriteBatch]:
    """Write batches of rows into an open file.

    Times are ISO 8601. CSV has a header, an empty field for null and JSON for a list; JSON lines has null for a number
    that is not finite.

    Args:
        file: where.
        form: one of ``FORMATS``.
        schema: the columns of every batch.

    Yields:
        What writes one batch.
    """
    if form == "parquet":
        from pyarrow import parquet

        with parquet.ParquetWriter(file, schema) as writer:
            yield writer.write_batch
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    if form == "csv":
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(schema.names)
        yield lambda batch: rows.writerows([_field(value) for value in row] for row in _rows(batch))
    else:
        yield lambda batch: text.writelines(_line(schema.names, row) for row in _rows(batch))
    text.flush()
    text.detach()


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _field(value: Any) -> Any:  # noqa: ANN401  (any value of a column)
    if isinstance(value, list | dict):
        return json.dumps(plain_value(value), ensure_ascii=False)
    return value if isinstance(value, float) else plain_value(value)


def _line(names: list[str], row: tuple[Any, ...]) -> str:
    return json.dumps(dict(zip(names, map(plain_value, row), strict=True)), ensure_ascii=False, allow_nan=False) + "\n"


def plain_value(value: Any) -> Any:  # noqa: ANN401  (any value of a column)
    """Return a value as JSON has it."""
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {name: plain_value(item) for name, item in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, str | int) else str(value)
