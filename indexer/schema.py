"""The columns of a gallery's tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nearid_search.errors import CatalogueError

if TYPE_CHECKING:
    import pyarrow as pa

EMBEDDING = "embedding"
"""What an image is searched by."""

WHOLE_EMBEDDING = "whole_embedding"
"""In a gallery of pictures that were painted over, if it keeps both: the embedding of the picture as it is."""

CATALOGUE_IDENTITY = "catalogue_identity"
"""What the picture's source calls the thing; null if it names none. ``identity`` is that after all corrections."""


def images_schema(dim: int, *, keeps_whole: bool = False) -> pa.Schema:
    """Return the columns of the images table.

    Args:
        dim: width of an embedding.
        keeps_whole: whether it has the column ``WHOLE_EMBEDDING``.
    """
    import pyarrow as pa

    whole = [pa.field(WHOLE_EMBEDDING, pa.list_(pa.float32(), dim))] if keeps_whole else []
    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("path", pa.string()),
            pa.field("identity", pa.string()),
            pa.field(CATALOGUE_IDENTITY, pa.string()),
            pa.field(EMBEDDING, pa.list_(pa.float32(), dim)),
            *whole,
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
            pa.field("source", pa.string()),
            pa.field("etag", pa.string()),
        ]
    )


def is_storable_name(name: str) -> bool:
    """Say whether a metadata column may be called so; a name such as ``_rowid`` would make the table unreadable."""
    is_internal = name.startswith("_") and not name.startswith("__")
    return bool(name) and "." not in name and "`" not in name and not is_internal


def missing_columns(schema: pa.Schema, fields: Iterable[pa.Field]) -> list[pa.Field]:
    """Return the metadata columns that a table lacks, each of a type that it can hold.

    Raises:
        CatalogueError: if a column is there with another type.
    """
    import pyarrow as pa

    missing = []
    present = {field.name: field.type for field in schema}
    for field in fields:
        kind = pa.string() if pa.types.is_null(field.type) or pa.types.is_dictionary(field.type) else field.type
        if field.name not in present:
            missing.append(pa.field(field.name, kind))
        elif present[field.name] != kind and not pa.types.is_null(field.type):
            raise CatalogueError(
                f"column {field.name!r} is {present[field.name]} here and {kind} in the identities table: "
                "give the column another name"
            )
    return missing


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
