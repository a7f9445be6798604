"""What an index keeps of the gallery's rows, so that opening a large gallery reads none of its tables.

Two files. ``rows`` is an Arrow file, mapped: key, path, identity, the digest of the vector and the position in the
index, first of every row in the gallery's order, then of positions whose images are gone. ``embeddings`` are the
vectors of the rows, one after another, mapped too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.search.index_rows import LABELS, GalleryRows, whole_array
from nearid_search.indexer.search.row_keys import KEY_LENGTH, Keys, key_array
from nearid_search.similarity import Embeddings, Rows

if TYPE_CHECKING:
    import pyarrow as pa

NO_POSITION = -1


class Positions(NamedTuple):
    """What stands at each position of an index.

    Attributes:
        keys: (N,) key of the image.
        digests: (N,) digest of its vector.
        row_of: (N,) its row in the gallery; -1 where the image is gone or has another embedding now.
    """

    keys: Keys
    digests: NDArray[np.uint64]
    row_of: Rows


class KeptRows(NamedTuple):
    """The content of a file of rows.

    Attributes:
        labels: table of the columns ``LABELS`` of every row, sorted by key.
        digests: (G,) digest of every row's vector.
        positions: what stands at each position, ``row_of`` counting these rows.
    """

    labels: pa.Table
    digests: NDArray[np.uint64]
    positions: Positions


def write_rows(path: Path, rows: GalleryRows, digests: NDArray[np.uint64], positions: Positions) -> None:
    """Write the file ``rows``, neither durably nor atomically.

    Args:
        path: the file.
        rows: the gallery's rows now.
        digests: (G,) ``row_digests`` of their vectors.
        positions: what stands at each position.

    Raises:
        OSError: if it cannot be written.
    """
    import pyarrow as pa

    gone = np.flatnonzero(positions.row_of < 0)
    at = np.full(len(rows), NO_POSITION, np.int64)
    alive = np.flatnonzero(positions.row_of >= 0)
    at[positions.row_of[alive]] = alive
    identities = whole_array(rows.labels.column("identity").cast(pa.string())).dictionary_encode()
    kind, count = pa.binary(KEY_LENGTH), len(gone)
    parts: dict[str, tuple[pa.Array, pa.Array]] = {
        "key": (whole_array(rows.labels.column("key").cast(kind)), pa.array(positions.keys[gone].tolist(), kind)),
        "path": (whole_array(rows.labels.column("path").cast(pa.large_string())), pa.nulls(count, pa.large_string())),
        "identity": (identities.indices, pa.nulls(count, pa.int32())),
        "digest": (pa.array(digests), pa.array(positions.digests[gone])),
        "position": (pa.array(at), pa.array(gone.astype(np.int64))),
    }
    columns = {name: pa.concat_arrays(part) for name, part in parts.items()}
    columns["identity"] = pa.DictionaryArray.from_arrays(columns["identity"], identities.dictionary)
    batch = pa.record_batch(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def read_rows(path: Path, *, count: int, num_positions: int) -> KeptRows:
    """Map a file that ``write_rows`` wrote and that has been checked since.

    Args:
        path: the file.
        count: rows of the gallery in it.
        num_positions: positions of the index.

    Raises:
        ArrowInvalid: if it is no Arrow file.
        OSError: if it cannot be read.
    """
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    keys = key_array(table.column("key"))
    digests = table.column("digest").to_numpy()
    at = table.column("position").to_numpy()
    held = np.flatnonzero(at >= 0)
    entry_of = np.empty(num_positions, np.int64)
    entry_of[at[held]] = held
    row_of = np.where(entry_of < count, entry_of, -1)
    labels = table.select(LABELS).slice(0, count)
    return KeptRows(labels, digests[:count], Positions(keys[entry_of], digests[entry_of], row_of))


def write_embeddings(path: Path, vectors: Embeddings) -> None:
    """Write the file ``embeddings``, neither durably nor atomically.

    Raises:
        OSError: if it cannot be written.
    """
    vectors.astype("<f4", copy=False).tofile(path)
