"""Keys of many rows at once, as NumPy arrays: sorting and finding a million of them takes a fraction of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nearid_search.similarity import Rows

if TYPE_CHECKING:
    import pyarrow as pa

KEY_LENGTH = 64
"""Characters of a key: a SHA-256 in hex."""

_LEADING = 16  # characters that make a 64-bit number, which hardly two keys share

Keys = NDArray[np.bytes_]
"""(N,) keys, each of ``KEY_LENGTH`` bytes."""


def key_array(column: pa.ChunkedArray | pa.Array) -> Keys:
    """Return an Arrow column of keys as an array.

    Raises:
        ArrowInvalid: if a key has another length.
    """
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    kind, width = pa.binary(KEY_LENGTH), f"S{KEY_LENGTH}"
    parts = []
    for chunk in chunks:
        fixed = chunk.cast(kind)
        held = np.frombuffer(fixed.buffers()[1], width) if len(fixed) else np.empty(0, width)
        parts.append(held[fixed.offset : fixed.offset + len(fixed)])
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, width)


def key_order(keys: Keys) -> Rows:
    """Return what sorts keys: ``keys[key_order(keys)]`` ascends."""
    order = np.argsort(_leading(keys), kind="stable")
    if (keys[order[1:]] < keys[order[:-1]]).any():
        return np.argsort(keys, kind="stable")
    return order


def find_keys(present: Keys, wanted: Keys) -> Rows:
    """Find keys among sorted ones.

    Args:
        present: (N,) distinct, ascending.
        wanted: (M,) in any order.

    Returns:
        (M,) int64 place in ``present``, -1 where it is not there.
    """
    if not len(present) or not len(wanted):
        return np.full(len(wanted), -1, np.int64)
    places = np.minimum(np.searchsorted(_leading(present), _leading(wanted)), len(present) - 1)
    # Where several begin alike, the number names the first of them.
    other = np.flatnonzero(present[places] != wanted)
    places[other] = np.minimum(np.searchsorted(present, wanted[other]), len(present) - 1)
    return np.where(present[places] == wanted, places, -1)


def _leading(keys: Keys) -> NDArray[np.uint64]:
    """Return the number that the first 16 hex digits of each key write."""
    digits = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), KEY_LENGTH)[:, :_LEADING]
    values = (digits & 15) + 9 * (digits >> 6)
    numbers = np.ascontiguousarray(values[:, ::2] << 4 | values[:, 1::2]).view(">u8")
    return numbers.reshape(len(keys)).astype(np.uint64)
