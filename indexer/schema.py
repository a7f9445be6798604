"""The columns of a gallery's two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearid_search.errors import CatalogueError

if TYPE_CHECKING:
    import pyarrow as pa


def images_schema(dim: int) -> pa.Schema:
    """Return the columns of the images table; ``dim`` is the width of an embedding."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("path", pa.string()),
            pa.field("identity", pa.string()),
            pa.field("embedding", pa.list_(pa.float32(), dim)),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("thumbnail", pa.binary()),
            pa.field("encoder", pa.string()),
            pa.field("indexed_at", pa.timestamp("us", tz="UTC")),
        ]
    )


def files_schema() -> pa.Schema:
    """Return the columns of the ledger."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("size", pa.int64()),
            pa.field("mtime_ns", pa.int64()),
            pa.field("key", pa.string()),
            pa.field("error", pa.string()),
        ]
    )


def typed_column(values: list[Any], field: pa.Field) -> pa.Array:
    """Return values as an Arrow array of a column's type.

    Raises:
        CatalogueError: if a value does not fit.
    """
    import pyarrow as pa

    try:
        return pa.array(values, type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CatalogueError(
            f"column {field.name!r} is {field.type} in this gallery, the identities table has others ({error}): "
            "give the column another name"
        ) from error
