"""Embeddings that somebody else made, read from a Parquet file batch by batch.

A row that cannot be used is named and never repaired: its faults are listed beside the batch, and the caller decides
whether one of them stops everything (an import) or is reported among the answers (a query).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import EmbeddingsError
from nearid_search.indexer.catalogue.labels import RESERVED_COLUMNS
from nearid_search.indexer.schema import is_storable_name
from nearid_search.parquet_claims import check_claimed_rows
from nearid_search.similarity import Embeddings, unit_rows

if TYPE_CHECKING:
    import pyarrow as pa

UNNAMED_MAKER = "embeddings:"
"""What the fingerprint of embeddings begins with whose maker nobody named; their width follows."""

MAKER_ENTRY = b"nearid_search.encoder"
"""Entry of the file's own metadata that holds the fingerprint of what made its embeddings, if it is known."""

_TEXT_COLUMNS = ("identity", "path", "key")
_OWN_COLUMNS = (*_TEXT_COLUMNS, "embedding")
_BATCH_BYTES = 32 << 20
_ROWS_AT_ONCE = 4_096  # normalised together in float64; changes memory, never a value
_READ_BUFFER = 1 << 20


class EmbeddingRows(NamedTuple):
    """Some consecutive rows of a file.

    Attributes:
        start: number of the first in the file, counted from 0.
        embeddings: (N, D) float32 unit rows; zero where there is a fault.
        faults: place in this batch -> what is wrong with that embedding.
        columns: the other columns that were asked for, each of length N, in plain types.
    """

    start: int
    embeddings: Embeddings
    faults: dict[int, str]
    columns: dict[str, pa.Array]

    def name(self, place: int) -> str:
        """Return which row of the file it is: its number and, if it has one, its path."""
        path = self.columns["path"][place].as_py() if "path" in self.columns else None
        return f"row {self.start + place}" + (f" ({path})" if path else "")


class EmbeddingsFile:
    """An open Parquet file with a column ``embedding``; close it, or use it as a context.

    Attributes:
        source: where it is.
        num_rows: how many embeddings it holds, at least 1.
        dim: width of an embedding.
        made_by: fingerprint of their encoder if the file names one, as ``gallery export`` writes it, else None.

    Args:
        source: the file.
        needs: columns that must be there besides ``embedding``.

    Raises:
        EmbeddingsError: if it is missing, no Parquet file, empty, or a column is missing or of a wrong type.
    """

    def __init__(self, source: Path, *, needs: Sequence[str] = ()) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self.source = source
        try:
            # By default a row group is read in one piece, and it may have many gigabytes.
            self._file = parquet.ParquetFile(source, buffer_size=_READ_BUFFER, pre_buffer=False)
        except FileNotFoundError:
            raise EmbeddingsError(f"{source} does not exist: give a Parquet file with a column embedding") from None
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error
        try:
            check_claimed_rows(self._file.metadata)
            schema = self._file.schema_arrow
            self._check_columns(schema, ("embedding", *needs))
            self._types: dict[str, Any] = {
                field.name: pa.string() if field.name in _TEXT_COLUMNS else _plain_type(field.type) for field in schema
            }
            maker = (schema.metadata or {}).get(MAKER_ENTRY, b"").decode("utf-8", "replace")
            self.made_by = maker if maker and not maker.startswith(UNNAMED_MAKER) else None
            self.num_rows = int(self._file.metadata.num_rows)
            if self.num_rows == 0:
                raise EmbeddingsError(f"{source} holds no rows: give a file with at least one embedding")
            self.dim = self._find_width()
            if self.dim == 0:
                raise EmbeddingsError(f"{source} row 0: its embedding is empty: give at least one value")
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            self.close()
            raise self._unreadable(error) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> EmbeddingsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def has_keys(self) -> bool:
        """Whether the rows bring their keys along."""
        return "key" in self._types

    @property
    def metadata_fields(self) -> tuple[pa.Field, ...]:
        """Columns besides the ones that have a meaning here, in plain types; all-null ones have type null."""
        import pyarrow as pa

        return tuple(pa.field(name, kind) for name, kind in self._types.items() if name not in _OWN_COLUMNS)

    def batches(self, columns: Sequence[str], *, batch_rows: int) -> Iterator[EmbeddingRows]:
        """Read the file from its beginning, in bounded memory.

        Args:
            columns: names wanted besides ``embedding``; those the file lacks are left out.
            batch_rows: rows at once.

        Yields:
            Every row, in order.

        Raises:
            EmbeddingsError: if the file is damaged.
        """
        import pyarrow as pa

        present = [name for name in columns if name in self._types]
        start = 0
        try:
            for batch in self._file.iter_batches(batch_size=batch_rows, columns=["embedding", *present]):
                embeddings, faults = _unit_embeddings(batch.column("embedding"), self.dim)
                plain = {name: batch.column(name).cast(self._types[name]) for name in present}
                for array in plain.values():
                    array.validate(full=True)  # text that is not UTF-8
                yield EmbeddingRows(start, embeddings, faults, plain)
                start += batch.num_rows
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error

    def _find_width(self) -> int:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = self._file.schema_arrow.field("embedding").type
        if pa.types.is_fixed_size_list(kind):
            return int(kind.list_size)
        for batch in self._file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=["embedding"]):
            widths = pc.list_value_length(batch.column("embedding")).drop_null()
            if len(widths):
                return int(widths[0].as_py())
        raise EmbeddingsError(f"{self.source} row 0: its embedding is null, and so are all others: leave such rows out")

    def _check_columns(self, schema: pa.Schema, needed: Sequence[str]) -> None:
        import pyarrow as pa

        missing = [name for name in needed if name not in schema.names]
        if missing:
            found = ", ".join(schema.names) or "no columns"
            raise EmbeddingsError(f"{self.source} has no column {' or '.join(missing)}: it has {found}")
        repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
        if repeated:
            raise EmbeddingsError(f"{self.source}: column {repeated[0]!r} stands there twice: keep one")
        kind = schema.field("embedding").type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        if not (is_list and pa.types.is_floating(kind.value_type)):
            raise EmbeddingsError(f"{self.source}: column embedding is {kind}: make it a list of float32 of one width")
        for name in _TEXT_COLUMNS:
            if name in schema.names and not _is_text(schema.field(name).type):
                raise EmbeddingsError(f"{self.source}: column {name} is {schema.field(name).type}: make it text")

    def check_metadata(self) -> None:
        """Refuse columns that cannot become a gallery's metadata.

        Raises:
            EmbeddingsError: if a name is the gallery's own, or LanceDB cannot hold the name or the type.
        """
        for field in self.metadata_fields:
            name = field.name
            if name in RESERVED_COLUMNS:
                raise EmbeddingsError(f"{self.source}: column {name!r} is the gallery's own: rename it")
            if not is_storable_name(name):
                raise EmbeddingsError(
                    f"{self.source}: column {name!r} cannot be kept as metadata: rename it to letters and digits"
                )
            if not _is_storable(field.type):
                raise EmbeddingsError(
                    f"{self.source}: column {name!r} is {field.type}, which cannot be kept as metadata: make it text"
                )

    def _unreadable(self, error: Exception) -> EmbeddingsError:
        return EmbeddingsError(f"{self.source} cannot be read as Parquet: {str(error).splitlines()[0]}")


def rows_at_once(dim: int) -> int:
    """Return how many embeddings of a width to hold in memory together: 32 MiB of them, 65,536 at most."""
    return max(1, min(65_536, _BATCH_BYTES // (4 * max(1, dim))))


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    plain = _plain_type(kind)
    # A column without any value has type null; whether that may be is the caller's question, row by row.
    return bool(pa.types.is_string(plain) or pa.types.is_null(plain))


def _is_storable(kind: pa.DataType) -> bool:
    import pyarrow as pa

    is_kind = pa.types
    if is_kind.is_list(kind) or is_kind.is_large_list(kind) or is_kind.is_fixed_size_list(kind):
        return _is_storable(kind.value_type)
    if is_kind.is_struct(kind):
        return all(_is_storable(field.type) for field in kind)
    if is_kind.is_decimal(kind):
        return bool(is_kind.is_decimal128(kind))
    is_view = is_kind.is_string_view(kind) or is_kind.is_binary_view(kind)
    return bool(is_kind.is_primitive(kind) or is_kind.is_null(kind) or _is_bytes(kind)) and not is_view


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    checks = ("string", "large_string", "binary", "large_binary", "fixed_size_binary")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in checks)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type a column is kept in: one of several encodings of the same values."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    return kind


def _unit_embeddings(column: pa.Array, dim: int) -> tuple[Embeddings, dict[int, str]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    widths = pc.fill_null(pc.list_value_length(column), -1).to_numpy(zero_copy_only=False)
    faults = {
        int(place): "is null" if widths[place] < 0 else f"has {widths[place]} values where {dim} are expected"
        for place in np.flatnonzero(widths != dim)
    }
    fitting = np.flatnonzero(widths == dim)
    present = column.filter(pa.array(widths == dim)) if faults else column
    # Nulls inside an embedding become NaN.
    values = present.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    unit = np.zeros((len(column), dim), np.float32)
    for begin in range(0, len(fitting), _ROWS_AT_ONCE):
        places, some = fitting[begin : begin + _ROWS_AT_ONCE], values[begin : begin + _ROWS_AT_ONCE]
        norms = _norms(some)
        usable = np.isfinite(norms) & (norms > 0)
        unit[places[usable]] = unit_rows(some[usable])
        faults |= {int(places[row]): _reason(norms[row]) for row in np.flatnonzero(~usable)}
    return unit, dict(sorted(faults.items()))


def _norms(values: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        norms: NDArray[np.float64] = np.sqrt((wide * wide).sum(axis=1))
    return norms


def _reason(norm: float) -> str:
    if np.isnan(norm):
        return "holds NaN or null"
    return "is all zeros, which has no direction" if norm == 0 else "is infinite"
