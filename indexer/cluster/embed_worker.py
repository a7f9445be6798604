"""What one worker does: read, decode and embed a batch of pictures, and stage the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_search.indexer.catalogue.labels import Label
from nearid_search.indexer.catalogue.picture_source import PictureSource
from nearid_search.indexer.catalogue.pipeline import ReadFile, read_ahead
from nearid_search.indexer.catalogue.rows_of_pictures import encode_rows
from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.indexer.cluster.staging import TABLE, Staging
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.image_rows import row_batch

if TYPE_CHECKING:
    import pyarrow as pa

    from nearid_search.indexer.rows import ImageRow

FILE_PREFIX = "_"
"""What the columns of a batch begin with that describe a picture's file; no metadata may be called so."""


@dataclass(frozen=True)
class WorkOrder:
    """What every worker is told once.

    Attributes:
        folder: of the gallery, on a disk that all machines see under this path.
        manifest_name: file its manifest is kept in.
        catalogue: stored path of the catalogue.
        source: the catalogue.
        device: to encode on.
        batch_size: images an encoder call.
        decoders: threads that read and decode; 0 means one a processor core.
    """

    folder: Path
    manifest_name: str
    catalogue: str
    source: PictureSource
    device: str
    batch_size: int
    decoders: int


class EmbedWorker:
    """Embeds batches; Ray makes one in each process.

    Args:
        order: what to do.
    """

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self._gallery = Gallery.open(order.folder, manifest_name=order.manifest_name)
        self._encoder = self._gallery.open_encoder(device=order.device)
        store = self._gallery.store
        self._known = set(store.image_table([]).column("key").to_pylist()) | store.hidden_keys()
        self._tables = order.folder / self._gallery.manifest.tables
        self._staging = Staging(
            self._tables,
            catalogue=order.catalogue,
            encoder=self._encoder.fingerprint,
            schema=store.images.schema,
        )

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Embed the pictures of a batch and stage them, unless a worker that died did so before.

        Args:
            batch: one row a picture, as ``batch_table`` makes it.

        Returns:
            One row: ``done`` and ``failed``, counts of pictures.
        """
        import pyarrow as pa

        files, labels = _files_of(batch), _labels_of(batch)
        name = self._staging.name_of(files)
        staged = self._staging.read(name)
        items = staged.items if staged is not None else self._embed(name, files, labels)
        failed = sum(item.error is not None for item in items)
        return pa.table({"done": [len(items)], "failed": [failed]})

    def _embed(self, name: str, files: list[ScannedFile], labels: dict[str, Label]) -> list[ReadFile]:
        rows: list[ImageRow] = []
        items: list[ReadFile] = []
        keys = set(self._known)
        waiting: list[ReadFile] = []
        for item in self._read(files, keys):
            items.append(item._replace(prepared=None, whole=None, thumbnail=b""))
            if item.prepared is None or item.key is None or item.key in keys:
                continue
            keys.add(item.key)
            waiting.append(item)
            if len(waiting) == self._order.batch_size:
                rows += self._rows(waiting, labels)
                waiting = []
        rows += self._rows(waiting, labels)
        self._staging.write(name, self._fragment(rows), [(row.key, row.path) for row in rows], items)
        return items

    def _read(self, files: list[ScannedFile], known: set[str]) -> Iterator[ReadFile]:
        found = read_ahead(
            self._order.source.pictures(files),
            self._encoder,
            known=known,
            threads=self._order.decoders,
            ahead=4 * self._order.batch_size,
        )
        with closing(found):
            yield from found

    def _rows(self, batch: list[ReadFile], labels: dict[str, Label]) -> list[ImageRow]:
        keeps_whole = self._gallery.manifest.encoder.keeps_whole
        named = [(self._order.source.stored(item.file.path), labels[item.file.path]) for item in batch]
        return encode_rows(batch, named, self._encoder, keeps_whole=keeps_whole)

    def _fragment(self, rows: list[ImageRow]) -> dict[str, object] | None:
        """Write rows as a fragment that no version of the table names yet."""
        from lance.fragment import write_fragments

        if not rows:
            return None
        schema = self._gallery.store.images.schema
        table = row_batch(rows, schema, encoder=self._encoder.fingerprint)
        (fragment,) = write_fragments(table, str(self._tables / TABLE), schema=schema, mode="append")
        described: dict[str, object] = fragment.to_json()
        return described


def batch_table(files: list[ScannedFile], labels: list[Label], metadata: list[pa.Field]) -> pa.Table:
    """Return a batch of pictures as the table that a worker takes."""
    import pyarrow as pa

    columns = {f"{FILE_PREFIX}{name}": [getattr(file, name) for file in files] for name in ScannedFile._fields}
    kinds = {"size": pa.int64(), "mtime_ns": pa.int64(), "place": pa.int64()}
    arrays = {
        name: pa.array(values, kinds.get(name.removeprefix(FILE_PREFIX), pa.string()))
        for name, values in columns.items()
    }
    arrays["identity"] = pa.array([label.identity for label in labels], pa.string())
    for field in metadata:
        arrays[field.name] = pa.array([label.metadata.get(field.name) for label in labels], field.type)
    return pa.table(arrays)


def _files_of(batch: pa.Table) -> list[ScannedFile]:
    columns = (batch.column(f"{FILE_PREFIX}{name}").to_pylist() for name in ScannedFile._fields)
    return [ScannedFile(*values) for values in zip(*columns, strict=True)]


def _labels_of(batch: pa.Table) -> dict[str, Label]:
    names = [name for name in batch.column_names if not name.startswith(FILE_PREFIX) and name != "identity"]
    paths = batch.column(f"{FILE_PREFIX}path").to_pylist()
    identities = batch.column("identity").to_pylist()
    metadata = batch.select(names).to_pylist() if names else [{} for _ in paths]
    return {path: Label(said, more) for path, said, more in zip(paths, identities, metadata, strict=True)}
