"""Whether what a gallery's tables hold can be: Lance reads values that could not have been written without a word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import GalleryCorruptError, UnreadableImageError
from nearid_search.image_decoding import decode_image
from nearid_search.indexer.care.findings import Finding, Part
from nearid_search.indexer.care.whole_tables import reading_tables
from nearid_search.indexer.corrections.log import LOG_NAME, CorrectionLog
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.ledger import read_records
from nearid_search.indexer.rows import FileRecord
from nearid_search.indexer.schema import CATALOGUE_IDENTITY, EMBEDDING, WHOLE_EMBEDDING
from nearid_search.indexer.search.row_keys import KEY_LENGTH, Keys, find_keys, key_array, key_order

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 1_024
_NEAR_ONE = 1e-3  # by which rounding may move a unit vector's length
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_MENDED = "the tables are made again: whole rows are kept, the others encoded again from their pictures"


class TableRows:
    """Looks at every row of a gallery's tables of images.

    Args:
        gallery: the gallery.
    """

    def __init__(self, gallery: Gallery) -> None:
        self._encoder = gallery.manifest.encoder.fingerprint
        log = _read_log(gallery.folder)
        self._interrupted = None if log is None else log.pending
        self._corrections = None if log is None or log.pending is not None else Corrections.of(log.standing)
        self._found: dict[str, tuple[int, str]] = {}
        self._gallery = gallery
        self.count = 0

    def check(self) -> Iterator[Finding]:
        """Look at the rows of all three tables; ``count`` is how many images there were."""
        tables_dir = self._gallery.folder / self._gallery.manifest.tables
        try:
            with reading_tables(tables_dir):
                tables = open_tables(tables_dir)
                keys = [self._check_images(name, tables[name]) for name in ("images", "hidden") if name in tables]
                self._check_keys(keys, list(read_records(tables["files"])))
        except GalleryCorruptError as error:
            yield Finding(Part.TABLES, tables_dir.name, str(error).split(": ", 1)[0], _MENDED)
        if self._interrupted is not None:
            what = f"entry {self._interrupted.number} is not in the tables yet, or not in all"
            yield Finding(Part.LOG, LOG_NAME, what, "carried out by the next command that writes", damage=False)
        for what, (count, first) in self._found.items():
            table, _, row = first.partition(" ")
            more = f", and so do {count - 1} more" if count > 1 else ""
            yield Finding(Part.TABLES, f"{tables_dir.name}/{table}.lance", f"{row} {what}{more}", _MENDED)

    def _check_images(self, name: str, table: Any) -> Keys:  # noqa: ANN401  (LanceDB's class)
        keys: list[Keys] = []
        for batch in table.search().to_batches(ROWS_AT_ONCE):
            rows = batch.column("key").to_pylist()
            self.count += len(rows)
            for what, bad in self._faults(batch, shown=name == "images"):
                for row in np.flatnonzero(bad):
                    self._note(what, f"{name} {rows[row]}")
            good = np.array([len(row) == KEY_LENGTH for row in rows], bool)
            keys.append(key_array(batch.column("key").filter(_mask(good))))
        return np.concatenate(keys) if keys else np.empty(0, f"S{KEY_LENGTH}")

    def _faults(self, batch: pa.RecordBatch, *, shown: bool) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield each kind of fault and which rows of a batch have it."""
        yield "is no key", ~are_keys(batch.column("key").to_pylist())
        yield (
            "was made by another encoder",
            np.array([made_by != self._encoder for made_by in batch.column("encoder").to_pylist()], bool),
        )
        for column in (EMBEDDING, WHOLE_EMBEDDING):
            if column in batch.schema.names:
                yield f"has no unit vector for its {column}", ~are_unit(batch.column(column))
        yield (
            "has a thumbnail that is no picture",
            np.array([not _is_picture(data) for data in batch.column("thumbnail").to_pylist()], bool),
        )
        if shown and self._corrections is not None and CATALOGUE_IDENTITY in batch.schema.names:
            wanted = map(
                self._corrections.identity_of,
                *(batch.column(name).to_pylist() for name in ("key", CATALOGUE_IDENTITY, "path")),
            )
            pairs = zip(wanted, batch.column("identity").to_pylist(), strict=True)
            yield (
                "has another identity than catalogue and corrections say",
                np.array([one != other for one, other in pairs], bool),
            )

    def _check_keys(self, tables: list[Keys], ledger: list[FileRecord]) -> None:
        # An interrupted correction may have brought a row to one table and not taken it from the other.
        if self._interrupted is not None:
            for keys in tables:
                self._check_twice(keys[key_order(keys)])
            return
        keys = np.concatenate(tables)
        keys = keys[key_order(keys)]
        self._check_twice(keys)
        readable = [record for record in ledger if record.error is None and record.key is not None]
        places = find_keys(keys, np.asarray([(record.key or "").encode() for record in readable], keys.dtype))
        for row in np.flatnonzero(places < 0):
            path = readable[row].path
            if (self._gallery.home / path).exists():  # of one that is gone a stopped run may have left the entry
                self._note("is in the ledger of files and not among the images", f"files {path}")

    def _check_twice(self, keys: Keys) -> None:
        for key in np.unique(keys[1:][keys[1:] == keys[:-1]]):
            self._note("is there twice", f"images {bytes(key).decode()}")

    def _note(self, what: str, row: str) -> None:
        count, first = self._found.get(what, (0, row))
        self._found[what] = (count + 1, first)


def _read_log(folder: Path) -> CorrectionLog | None:
    """Return the log of what rows follow; None if it is damaged, which has a finding of its own."""
    try:
        return CorrectionLog(folder)
    except GalleryCorruptError:
        return None


def open_tables(tables_dir: Path) -> dict[str, Any]:
    """Open every table in a folder, by name, whether or not its files are whole.

    Raises:
        OSError, RuntimeError, ValueError: whatever Lance makes of damaged ones.
    """
    import lancedb

    database = lancedb.connect(str(tables_dir))
    return {name: database.open_table(name) for name in database.list_tables().tables}


def are_possible(batch: pa.RecordBatch, encoder: str) -> NDArray[np.bool_]:
    """Say which rows of images hold a key, unit vectors and the fingerprint of an encoder."""
    possible = are_keys(batch.column("key").to_pylist())
    possible &= np.array([made_by == encoder for made_by in batch.column("encoder").to_pylist()], bool)
    for column in (EMBEDDING, WHOLE_EMBEDDING):
        if column in batch.schema.names:
            possible &= are_unit(batch.column(column))
    return possible


def are_unit(column: Any) -> NDArray[np.bool_]:  # noqa: ANN401  (an Arrow array of fixed-size lists)
    """Say which of some vectors are finite and of length 1."""
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    near: NDArray[np.bool_] = np.abs(lengths - 1) < _NEAR_ONE
    return near


def are_keys(keys: list[str]) -> NDArray[np.bool_]:
    """Say which of some texts can be keys."""
    written = (np.frombuffer(key.encode(), np.uint8) for key in keys)
    return np.array([len(key) == KEY_LENGTH and bool(np.isin(key, _HEX).all()) for key in written], bool)


def _is_picture(data: bytes | None) -> bool:
    if not data:
        return True  # an imported row has none
    try:
        decode_image(data, name="thumbnail")
    except UnreadableImageError:
        return False
    return True


def _mask(rows: NDArray[np.bool_]) -> Any:  # noqa: ANN401  (an Arrow array)
    import pyarrow as pa

    return pa.array(rows)
