"""Images in the cells of Parquet and Arrow files, read one block at a time.

A block is a row group of Parquet or a record batch of Arrow: the least that can be decoded. Few columns are read from
few blocks, so a table may be far larger than memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from nearid_search.errors import DatasetError, UnreadableImageError
from nearid_search.parquet_claims import check_claimed_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

TABLE_SUFFIXES = (".arrow", ".parquet")
CACHE_BYTES = 2**28
"""Decoded columns kept for the next cells; at least the latest is kept, however large."""

_IPC_FILE_MAGIC = b"ARROW1"
_Key = tuple[Path, int, int, int, str]


def read_schema(path: Path) -> pa.Schema:
    """Read the column names and types of a table.

    Args:
        path: a ``.parquet`` file, or an ``.arrow`` file in the IPC file or stream format.

    Raises:
        DatasetError: if the file cannot be read as such.
    """
    from pyarrow import parquet

    with _readable(path):
        if _is_parquet(path):
            return parquet.read_schema(path)
        return _open_arrow(path, None).schema


def iter_blocks(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yield some columns of each block of a table, in order.

    Args:
        path: as for ``read_schema``.
        columns: names of columns that are there.

    Raises:
        DatasetError: if the file cannot be read.
    """
    import pyarrow as pa

    with _readable(path):
        if _is_parquet(path):
            with _open_parquet(path) as file:
                for group in range(file.num_row_groups):
                    block = file.read_row_group(group, columns=columns)
                    block.validate(full=True)
                    yield block
            return
        reader = _open_arrow(path, columns)
        for batch in _batches(reader):
            batch.validate(full=True)
            yield pa.Table.from_batches([batch]).select(columns)


def image_presence(path: Path, column: str) -> list[bool]:
    """Say of each row whether it has an image in a column.

    The images are decoded only in blocks where Parquet's own counts do not settle it.

    Args:
        path: as for ``read_schema``.
        column: name of a column that is there.

    Raises:
        DatasetError: if the column holds no images, or the file cannot be read.
    """
    _check_image_type(path, column)
    if not _is_parquet(path):
        return [present for block in iter_blocks(path, [column]) for present in _present(block.column(column))]
    presence: list[bool] = []
    with _readable(path), _open_parquet(path) as file:
        for group in range(file.num_row_groups):
            metadata = file.metadata.row_group(group)
            num_rows, num_null = metadata.num_rows, _count_nulls(metadata, column)
            if num_null in (0, num_rows):
                presence += [num_null == 0] * num_rows
            else:
                presence += _present(file.read_row_group(group, columns=[column]).column(column))
    return presence


def read_cell(path: Path, block: int, column: str, offset: int, *, name: str) -> bytes:
    """Read the image in one cell.

    Args:
        path: as for ``read_schema``.
        block: row group or record batch, from 0.
        column: name of the column.
        offset: row within the block, from 0.
        name: what messages call the cell.

    Returns:
        At least one byte.

    Raises:
        UnreadableImageError: if the table cannot be read, or the cell is gone or holds no bytes.
    """
    try:
        status = path.stat()
        cells = _CACHE.column((path, status.st_mtime_ns, status.st_size, block, column))
        data = _image_bytes(cells)[offset].as_py()
    except OSError as error:
        raise UnreadableImageError(name, (error.strerror or str(error)).lower()) from error
    except DatasetError as error:
        raise UnreadableImageError(name, str(error)) from error
    except IndexError as error:
        raise UnreadableImageError(name, "the table is shorter than when the dataset was opened") from error
    if not data:
        raise UnreadableImageError(name, "no image bytes in this cell")
    return bytes(data)


class _ColumnCache:
    """The columns of blocks read last, by file state, block and name; safe to share between threads."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._columns: OrderedDict[_Key, pa.ChunkedArray] = OrderedDict()
        self._num_bytes = 0
        self._lock = Lock()

    def column(self, key: _Key) -> pa.ChunkedArray:
        with self._lock:
            found = self._columns.get(key)
            if found is None:
                found = _read_column(key[0], key[3], key[4])
                self._num_bytes += found.nbytes
                self._columns[key] = found
            self._columns.move_to_end(key)
            while self._num_bytes > self.max_bytes and len(self._columns) > 1:
                self._num_bytes -= self._columns.popitem(last=False)[1].nbytes
            return found


_CACHE = _ColumnCache(CACHE_BYTES)


def _read_column(path: Path, block: int, column: str) -> pa.ChunkedArray:
    import pyarrow as pa

    with _readable(path):
        if _is_parquet(path):
            with _open_parquet(path) as file:
                return file.read_row_group(block, columns=[column]).column(column)
        batch = next(islice(_batches(_open_arrow(path, [column])), block, None))
        batch.validate(full=True)
        return pa.chunked_array([batch.column(column)])


def _open_parquet(path: Path) -> parquet.ParquetFile:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    try:
        check_claimed_rows(file.metadata)
    except BaseException:
        file.close()
        raise
    return file


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _open_arrow(path: Path, columns: list[str] | None) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    # Mapped, so that columns and batches not asked for are never read.
    import pyarrow as pa

    with path.open("rb") as file:
        is_file = file.read(len(_IPC_FILE_MAGIC)) == _IPC_FILE_MAGIC
    opened = pa.ipc.open_file if is_file else pa.ipc.open_stream
    if columns is None:
        return opened(pa.memory_map(str(path)))
    names = opened(pa.memory_map(str(path))).schema.names
    options = pa.ipc.IpcReadOptions(included_fields=[names.index(column) for column in columns])
    return opened(pa.memory_map(str(path)), options=options)


def _batches(reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(number) for number in range(reader.num_record_batches))
    return iter(reader)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, StopIteration) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise DatasetError(f"{path} cannot be read as a table: {reason}") from error


def _check_image_type(path: Path, column: str) -> None:
    import pyarrow as pa

    kind = read_schema(path).field(column).type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    # Null is the type of a column without any image, as of third views in a shard where all are missing.
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_null(kind)):
        raise DatasetError(
            f"{path}: column {column} is of type {kind}: expected images as binary or as a struct of bytes and path"
        )


def _image_bytes(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import compute

    return compute.struct_field(cells, "bytes") if pa.types.is_struct(cells.type) else cells


def _present(cells: pa.ChunkedArray) -> list[bool]:
    present: list[bool] = _image_bytes(cells).is_valid().to_pylist()
    return present


def _count_nulls(row_group: pa.RowGroupMetaData, column: str) -> int | None:
    for number in range(row_group.num_columns):
        chunk = row_group.column(number)
        if chunk.path_in_schema in (column, f"{column}.bytes"):
            statistics = chunk.statistics
            return statistics.null_count if statistics is not None and statistics.has_null_count else None
    return None
