"""One Parquet file whose column ``image`` holds pictures, as bytes or as a struct of ``bytes`` and ``path``.

``identity`` names the thing, else the first folder of ``path``; other plain columns become metadata. The column of
pictures is not read here, but when its rows are encoded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.indexer.catalogue.shard_labels import LabelTable, ShardScan
from nearid_search.packed_pictures import IMAGE_COLUMN, holds_pictures, open_parquet

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 65_536
PATH = "path"
ORIGINAL_PATH = "original_path"
"""Metadata column of a Parquet file's own column ``path``; the gallery's names the file and the row."""


def scan_parquet(file: Path, name: str, labels: LabelTable) -> ShardScan:
    """List the pictures of a Parquet file and enter their labels.

    Args:
        file: the file.
        name: its name in the catalogue.
        labels: where to enter them.

    Returns:
        One picture a row, and rows that cannot be used.

    Raises:
        OSError: if it is no Parquet file, has no column of pictures or is damaged.
    """
    import pyarrow as pa

    pictures: list[tuple[str, int]] = []
    faults: list[tuple[str, str]] = []
    with open_parquet(file) as opened:
        schema = opened.schema_arrow
        if not holds_pictures(schema):
            raise OSError(f"it has no column {IMAGE_COLUMN} of bytes, but {', '.join(schema.names) or 'no columns'}")
        columns = [field.name for field in schema if _is_plain(field.type) and schema.names.count(field.name) == 1]
        row = 0
        try:
            for batch in opened.iter_batches(_ROWS_AT_ONCE, columns=columns):
                values = [batch[column].to_pylist() for column in columns]
                for fields in zip(*values, strict=True) if values else [()] * len(batch):
                    _enter(f"{name}#{row}", dict(zip(columns, fields, strict=True)), labels, faults)
                    pictures.append((f"{name}#{row}", row))
                    row += 1
        except (pa.ArrowException, ValueError) as error:
            raise OSError(f"row {row} or one after it is damaged ({str(error).splitlines()[0]})") from error
    bad = {path for path, _ in faults}
    return ShardScan([(path, row) for path, row in pictures if path not in bad], faults)


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow as pa

    plain = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_string,
        pa.types.is_large_string,
    )
    return any(says(kind) for says in (*plain, pa.types.is_date, pa.types.is_timestamp, pa.types.is_dictionary))


def _enter(name: str, fields: dict[str, Any], labels: LabelTable, faults: list[tuple[str, str]]) -> None:
    path = fields.pop(PATH, None)
    if isinstance(path, str):
        fields[ORIGINAL_PATH] = path
    try:
        labels.add(name, fields, folders=path if isinstance(path, str) and not path.startswith("/") else "")
    except ValueError as error:
        faults.append((name, str(error)))
