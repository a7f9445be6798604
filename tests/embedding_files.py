"""Parquet files of embeddings, and what a gallery made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from nearid_search.indexer.gallery import Gallery

# What the four rows of the fixture ``source`` show, and where they come from.
NAMES = ["Krug", "Krug", "茶碗", "naïve 'quoted' cup"]
PATHS = ["a/1.jpg", "s3://bucket/ä/2.jpg", None, "a/1.jpg"]


def fixed_lists(values: NDArray[np.floating]) -> pa.Array:
    """An Arrow column of fixed-size lists, one a row of a matrix."""
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def write_embeddings(
    target: Path, embedding: Any, identity: Sequence[Any] | None, /, *, rows_a_group: int = 1_000_000, **further: Any
) -> Path:
    """Write a file; columns that are None are left out, and so are the further ones' types if Arrow can tell."""
    columns = {"identity": identity, "embedding": embedding, **further}
    if isinstance(embedding, np.ndarray):
        columns["embedding"] = fixed_lists(embedding)
    parquet.write_table(
        pa.table({name: column for name, column in columns.items() if column is not None}),
        target,
        row_group_size=rows_a_group,
    )
    return target


def directions(seed: int, count: int, dim: int = 8) -> NDArray[np.float32]:
    """Rows of any length in random directions."""
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def contents(gallery: Path, *metadata: str) -> list[dict[str, Any]]:
    """Every row of a gallery by key, without the time it came in."""
    columns = ["path", "identity", "embedding", "width", "height", "thumbnail", "encoder", *metadata]
    rows: list[dict[str, Any]] = Gallery.open(gallery).store.image_table(columns).to_pylist()
    return rows
