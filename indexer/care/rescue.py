"""Make a gallery's tables again from what is left of them: whole rows, pictures, readable rows, the search index.

In that order: a row that can be proved is kept, one that cannot is encoded again from its picture. Only where that is
gone is a row taken that nothing proves, and it is named. Identities need no proof: they follow from what catalogues
say and from the log of corrections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.images import read_file
from nearid_search.indexer.care.index_witness import IndexWitness
from nearid_search.indexer.care.table_rows import are_keys, are_possible
from nearid_search.indexer.care.whole_rows import DamagedTable, IsAltered
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.catalogue.stored_pictures import Catalogues, StoredPicture, encode_stored
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.image_rows import add_rows, as_schema
from nearid_search.indexer.manifest import Manifest
from nearid_search.indexer.rows import FileRecord, ImageRow, file_records
from nearid_search.indexer.schema import CATALOGUE_IDENTITY, EMBEDDING, WHOLE_EMBEDDING
from nearid_search.indexer.search.row_keys import KEY_LENGTH
from nearid_search.indexer.store import GalleryStore
from nearid_search.records import Failure

if TYPE_CHECKING:
    import pyarrow as pa

OnRescue = Callable[[int, int], None]
"""Told how many pictures have been looked at again, and of how many."""

_ROWS_AT_ONCE = 1_024
_IMAGES = ("hidden", "images")


@dataclass
class Rescued:
    """What became of the images.

    Attributes:
        kept: those whose rows were whole.
        encoded: those that were encoded again from their pictures.
        from_index: those whose vectors and names the search index had, without thumbnails and metadata.
        unproven: paths or keys of those that were taken, or named, as they could be read.
        lost: those that could not be brought back.
    """

    kept: int = 0
    encoded: int = 0
    from_index: int = 0
    unproven: list[str] = field(default_factory=list)
    lost: list[Failure] = field(default_factory=list)


class Rescue:
    """Fills new tables from damaged ones.

    Args:
        folder: the gallery's folder; the caller holds its writer lock.
        manifest: what describes it; its tables are the damaged ones.
        target: the new tables, empty.
        is_altered: says whether a file of the damaged ones is not what was written; None if nobody can say.
        open_encoder: opens the gallery's encoder; called if a picture is to be encoded.
        on_rescue: told of every picture that is looked at again.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        target: GalleryStore,
        *,
        is_altered: IsAltered | None,
        open_encoder: Callable[[], ImageEncoder],
        on_rescue: OnRescue,
    ) -> None:
        self._home, self._manifest, self._target = folder.parent, manifest, target
        self._open_encoder, self._on_rescue = open_encoder, on_rescue
        tables_dir = folder / manifest.tables
        names = [name for name in (*_IMAGES, "files") if (tables_dir / f"{name}.lance").is_dir()]
        self._sure = is_altered is not None
        self._damaged = {name: DamagedTable(tables_dir, name, is_altered or (lambda _path: False)) for name in names}
        self._witness = IndexWitness.of(folder, manifest)
        self._log = Corrections.of(CorrectionLog(folder).standing)
        self._catalogues = Catalogues(folder, manifest.catalogues)
        self._path_of: dict[str, str] = {}  # of every picture that there should be, by key
        self._paths: set[str] = set()  # that the ledger knows
        self._there: set[str] = set()
        self._names: set[str | None] = {None}  # that whole rows have from catalogues
        self._seen: dict[str, dict[str, Any]] = {}  # what rows that cannot be proved say, but for vectors
        self.rescued = Rescued()

    def run(self) -> Rescued:
        """Do it."""
        for name in _IMAGES:
            self._widen(name)
        records = self._ledger()
        for name in _IMAGES:
            self._keep_whole(name)
        self._look_again()
        for name in _IMAGES:
            self._take_readable(name)
        self._take_from_index()
        lost = sorted(self._path_of.keys() - self._there, key=self._path_of.__getitem__)
        self.rescued.lost += [Failure(self._path_of[key], "neither its row nor its picture is whole") for key in lost]
        kept = [record for record in records if record.key is None or record.key in self._there]
        self._target.record_files(kept, known=())
        return self.rescued

    def _widen(self, name: str) -> None:
        """Give the new tables the metadata columns of the old ones."""
        schema = self._damaged[name].schema if name in self._damaged else None
        if schema is not None:
            own = set(self._target.images.schema.names)
            self._target.ensure_metadata([field for field in schema if field.name not in own])

    def _ledger(self) -> list[FileRecord]:
        """Return what is known of files, and remember which pictures there should be."""
        found: dict[str, FileRecord] = {}
        damaged = self._damaged.get("files")
        for record in [] if damaged is None else _records(batch for batch, _ in damaged.whole()):
            found.setdefault(record.path, record)
        for record in self._log.added.values():
            found.setdefault(record.path, record)
        for record in [] if damaged is None else _records(damaged.readable()):
            if record.path not in found and (key := self._key_on_disk(record.path)) is not None:
                found[record.path] = record._replace(key=key)
        self._path_of |= {record.key: record.path for record in found.values() if record.key is not None}
        self._paths = set(found)
        return list(found.values())

    def _key_on_disk(self, path: str) -> str | None:
        try:
            return content_key(read_file(self._home / path))
        except UnreadableImageError:
            return None

    def _keep_whole(self, name: str) -> None:
        for batch, latest in self._damaged[name].whole() if name in self._damaged else ():
            possible = self._possible(batch, proved=self._sure)
            if not latest:  # what has gone since must not come back
                possible &= self._should_be(batch)
            self.rescued.kept += len(self._add(name, batch, possible))
            if CATALOGUE_IDENTITY in batch.schema.names:
                self._names.update(batch.column(CATALOGUE_IDENTITY).to_pylist())

    def _should_be(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        """Say which rows are of a picture whose file is known, or were imported."""
        pairs = zip(batch.column("key").to_pylist(), batch.column("width").to_pylist(), strict=True)
        return np.array([key in self._path_of or width is None for key, width in pairs], bool)

    def _possible(self, batch: pa.RecordBatch, *, proved: bool) -> NDArray[np.bool_]:
        """Say which rows hold what can be; where their files prove nothing, also what the search index agrees to."""
        possible = are_possible(batch, self._manifest.encoder.fingerprint)
        if self._witness is not None and not proved:
            keys = np.asarray([key.encode() for key in batch.column("key").to_pylist()], f"S{KEY_LENGTH}")
            possible &= ~self._witness.contradicts(keys, _vectors(batch))
        return possible

    def _add(self, name: str, batch: pa.RecordBatch, wanted: NDArray[np.bool_]) -> list[str]:
        """Add those of some rows that are wanted and not there yet; return their keys."""
        import pyarrow as pa

        keys = batch.column("key").to_pylist()
        chosen = {keys[place]: place for place in np.flatnonzero(wanted).tolist() if keys[place] not in self._there}
        if chosen:
            table = self._target.tables[name]
            rows = pa.Table.from_batches([batch.take(pa.array(chosen.values(), pa.int64()))])
            table.add(as_schema(rows, table.schema))
        self._there |= chosen.keys()
        return list(chosen)

    def _look_again(self) -> None:
        """Encode what is missing from its pictures."""
        left_out = {EMBEDDING, WHOLE_EMBEDDING, "thumbnail"}
        for batch in self._readable():
            for row in batch.select([name for name in batch.schema.names if name not in left_out]).to_pylist():
                if row["path"] is not None and are_keys([row["key"]])[0]:
                    self._seen.setdefault(row["key"], row)
                    if row["path"] not in self._paths:
                        self._path_of.setdefault(row["key"], row["path"])
        missing = sorted(self._path_of.keys() - self._there)
        there = [(key, self._path_of[key]) for key in missing if (self._home / self._path_of[key]).is_file()]
        if not there or self._manifest.encoder.backbone is None:
            return
        encoder = self._open_encoder()
        keep_whole = self._manifest.encoder.keeps_whole
        found = encode_stored(there, encoder, home=self._home, catalogues=self._catalogues, keep_whole=keep_whole)
        rows: list[ImageRow] = []
        for number, picture in enumerate(found, start=1):
            if isinstance(picture, StoredPicture):
                rows.append(self._row(picture))
            if rows and (len(rows) == _ROWS_AT_ONCE or number == len(there)):
                add_rows(self._target.images, rows, encoder=encoder.fingerprint)
                self._there |= {row.key for row in rows}
                self.rescued.encoded += len(rows)
                rows = []
            self._on_rescue(number, len(there))

    def _row(self, picture: StoredPicture) -> ImageRow:
        key, path, read = picture.key, picture.path, picture.read
        said, metadata = self._label(key, path)
        sides = (read.width, read.height)
        return ImageRow(
            key, path, said or path, picture.embedding, *sides, read.thumbnail, metadata, said, picture.whole
        )

    def _label(self, key: str, path: str) -> tuple[str | None, dict[str, Any]]:
        """Return what is known of a picture: from its catalogue, a correction, or else the row that is not whole."""
        label, pin, seen = self._catalogues.label(path), self._log.pins.get(key), self._seen.get(key, {})
        if label is not None:
            return label.identity, label.metadata
        said = seen.get(CATALOGUE_IDENTITY) if pin is None else pin.said
        if pin is None and said not in self._names:
            self.rescued.unproven.append(path)
        return said, seen

    def _readable(self) -> Iterator[pa.RecordBatch]:
        for name in _IMAGES:
            yield from self._damaged[name].readable() if name in self._damaged else ()

    def _take_readable(self, name: str) -> None:
        for batch in self._damaged[name].readable() if name in self._damaged else ():
            added = set(self._add(name, batch, self._possible(batch, proved=False) & self._should_be(batch)))
            proved = set() if self._witness is None else added & self._witness.known
            paths = zip(batch.column("key").to_pylist(), batch.column("path").to_pylist(), strict=True)
            self.rescued.unproven += [path or key for key, path in paths if key in added - proved]

    def _take_from_index(self) -> None:
        if self._witness is not None and not self._manifest.encoder.keeps_whole:
            missing = self._witness.known - self._there
            if missing:
                self._target.add_embeddings(self._witness.columns(missing, self._manifest.encoder))
            self._there |= missing
            self.rescued.from_index = len(missing)


def _records(batches: Iterable[pa.RecordBatch]) -> Iterator[FileRecord]:
    for batch in batches:
        for record in file_records(batch.select(list(FileRecord._fields))):
            if record.key is None or are_keys([record.key])[0]:
                yield record


def _vectors(batch: pa.RecordBatch) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = batch.column(EMBEDDING).flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(batch.num_rows, -1)
