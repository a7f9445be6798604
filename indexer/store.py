"""The record of truth: LanceDB tables, one row an image and one row a file.

``images`` holds what a query needs, keyed by the SHA-256 of the picture's bytes. ``files`` is the ledger of every
file ever looked at, with its size, time and content key (or the reason it cannot be read), so an unchanged catalogue
costs one stat a file. A batch goes to ``images`` before ``files``: after a crash in between, the next run finds the
key already there. A third, ``hidden``, has the columns of ``images`` and holds those that no answer shows: removed
ones, which an undo brings back, and one that is about to come in. No table is written without the writer lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import FilterError, GalleryCorruptError, GalleryReplacedError
from nearid_search.indexer.care.checksums import forget_files
from nearid_search.indexer.care.whole_tables import reading_tables, replaced_error, require_whole
from nearid_search.indexer.generation import table_generation
from nearid_search.indexer.hidden_table import HIDDEN, find_hidden
from nearid_search.indexer.image_rows import add_rows, change_rows, delete_rows, read_vectors
from nearid_search.indexer.ledger import read_records, write_records
from nearid_search.indexer.object_tables import connect_tables, guarded, store_error
from nearid_search.indexer.rows import FileRecord, ImageRow
from nearid_search.indexer.schema import (
    CATALOGUE_IDENTITY,
    EMBEDDING,
    WHOLE_EMBEDDING,
    files_schema,
    images_schema,
    missing_columns,
)
from nearid_search.indexer.search.row_keys import Keys, key_array, key_order
from nearid_search.indexer.sql import any_of, chunks, first_sentence

if TYPE_CHECKING:
    import pyarrow as pa

_KEYS_AT_ONCE = 2_000
_NOT_SHOWN = (EMBEDDING, WHOLE_EMBEDDING, "thumbnail")  # columns that no filter is about
_COMPACT_ABOVE = 128  # data files, one a batch: reading 160 takes about as long as one, merging rewrites them all


class GalleryStore:
    """The tables of one gallery.

    Args:
        tables_dir: their folder.
        version: to read the images table as it was then; None for now.
        column: which of an image's embeddings it is searched by.
    """

    def __init__(self, tables_dir: Path, *, version: int | None = None, column: str = EMBEDDING) -> None:
        self.column = column
        self.folder = tables_dir
        with reading_tables(tables_dir):
            self._database = connect_tables(tables_dir)
            self._images = self._open_table("images")
            self._files = self._open_table("files")
            if version is not None:
                self._images.checkout(version)

    @classmethod
    def create(cls, tables_dir: Path, *, dim: int, keeps_whole: bool = False) -> GalleryStore:
        """Make the empty tables for embeddings of a width, keeping those that are already there.

        Args:
            tables_dir: their folder.
            dim: the width.
            keeps_whole: whether an image has a second one, of the whole picture.

        Raises:
            GalleryCorruptError: if those that are there have other columns, as after a crash before the manifest.
        """
        if not tables_dir.exists():
            forget_files(tables_dir.parent, tables_dir.name)
        database = connect_tables(tables_dir)
        for name, schema in (("images", images_schema(dim, keeps_whole=keeps_whole)), ("files", files_schema())):
            try:
                database.create_table(name, schema=schema, exist_ok=True)
            except ValueError as error:
                raise store_error(tables_dir, error) or GalleryCorruptError(
                    f"{tables_dir} holds tables of another width, which no manifest describes: remove that folder and "
                    "give the command again"
                ) from error
        return cls(tables_dir)

    @property
    def version(self) -> int:
        """Lance version of the images table; it grows with every write."""
        return int(self._images.version)

    @property
    def generation(self) -> str:
        """What tells this state of the images table from every other; see ``table_generation``."""
        return table_generation(self.folder, "images", self.version)

    @property
    def images(self) -> Any:  # noqa: ANN401  (LanceDB's class has three names in three releases)
        """The images table itself, for the index that lives in it."""
        return self._images

    @cached_property
    def hidden(self) -> Any:  # noqa: ANN401  (LanceDB's class)
        """The table of images that no answer shows; made empty if it is missing, so it takes the writer lock."""
        found = find_hidden(self._database, self.folder)
        if found is not None:
            return found
        return guarded(self._database.create_table(HIDDEN, schema=self._images.schema, exist_ok=True), self.folder)

    def _open_table(self, name: str) -> Any:  # noqa: ANN401  (LanceDB's class)
        return guarded(self._database.open_table(name), self.folder)

    def hidden_keys(self) -> set[str]:
        """Return the keys of the images that no answer shows."""
        if find_hidden(self._database, self.folder) is None:
            return set()
        with self._reading(HIDDEN):
            return set(self.hidden.search().select(["key"]).to_arrow()["key"].to_pylist())

    @property
    def tables(self) -> dict[str, Any]:
        """The three tables by name, found whole; takes the writer lock, see ``hidden``."""
        tables = {"images": self._images, "files": self._files, HIDDEN: self.hidden}
        for name in tables:
            self.require_whole(name)
        return tables

    def require_whole(self, name: str, version: int | None = None) -> None:
        """Compare the files of a table, at a version or as it is, with their sums; see ``whole_tables``.

        Raises:
            GalleryCorruptError: if one was altered.
        """
        table = self.hidden if name == "hidden" else {"images": self._images, "files": self._files}[name]
        require_whole(self.folder, name, int(table.version) if version is None else version)

    @contextmanager
    def _reading(self, name: str = "images") -> Iterator[None]:
        """Read a table that is whole, or say that it is not."""
        with reading_tables(self.folder):
            self.require_whole(name)
            yield

    def ensure_correctable(self) -> None:
        """Give a gallery that an earlier version made the column that corrections start from."""
        if CATALOGUE_IDENTITY not in self._images.schema.names:
            self._images.add_columns({CATALOGUE_IDENTITY: "nullif(identity, path)"})

    @property
    def metadata_fields(self) -> tuple[pa.Field, ...]:
        """Columns of the images table that came from identities tables."""
        own = set(images_schema(1, keeps_whole=True).names)
        return tuple(field for field in self._images.schema if field.name not in own)

    def num_images(self, where: str | None = None) -> int:
        """Count the images, or those a filter accepts.

        Raises:
            FilterError: if the condition is malformed or names an unknown column.
        """
        if where is None:
            with reading_tables(self.folder):
                return int(self._images.count_rows())
        try:
            return int(self._images.count_rows(where))
        except (ValueError, RuntimeError, OSError) as error:
            raise self._filter_error(where, error) from error

    def num_imported(self) -> int:
        """Count the rows that came as embeddings: the ones that have no picture, so no width."""
        with reading_tables(self.folder):
            return int(self._images.count_rows("width IS NULL"))

    def ledger(self) -> Iterator[FileRecord]:
        """Yield what is known of every file, in no particular order."""
        with self._reading("files"):
            yield from read_records(self._files)

    def files_at(self, paths: Sequence[str]) -> list[FileRecord]:
        """Return what is known of the files at a few stored paths."""
        with self._reading("files"):
            return list(read_records(self._files, paths))

    def image_table(self, columns: Sequence[str]) -> pa.Table:
        """Return the named columns of every image, sorted by key."""
        with self._reading():
            table = self._images.search().select([*dict.fromkeys(["key", *columns])]).to_arrow().combine_chunks()
        return table.take(key_order(key_array(table.column("key"))))

    def embeddings(self, keys: Keys) -> NDArray[np.float32]:
        """Read every embedding into memory.

        Args:
            keys: all content keys, ascending, as ``image_table`` returned them.

        Returns:
            (len(keys), D) float32 in the order of ``keys``.

        Raises:
            GalleryCorruptError: if the table does not hold exactly these keys, or is damaged.
        """
        with self._reading():
            matrix, found = read_vectors(self._images, self.column, keys)
        if found != len(keys):
            raise GalleryCorruptError(
                f"the images table changed while it was read: {found} of {len(keys)} rows; try again"
            )
        return matrix

    def keys_where(self, where: str) -> Keys:
        """Return the keys of the images a filter accepts, in no particular order.

        Raises:
            FilterError: if the condition is malformed or names an unknown column.
            GalleryCorruptError: if the table is damaged.
        """
        with self._reading():
            try:
                return key_array(self._images.search().where(where).select(["key"]).to_arrow().column("key"))
            except (ValueError, RuntimeError, OSError) as error:
                raise self._filter_error(where, error) from error

    def _filter_error(self, where: str, error: Exception) -> FilterError | GalleryReplacedError:
        columns = ", ".join(name for name in self._images.schema.names if name not in _NOT_SHOWN)
        refused = FilterError(f"cannot filter by {where!r}: {first_sentence(error)} Columns: {columns}")
        return replaced_error(self.folder) or refused

    def scan(self, columns: Sequence[str], *, where: str | None = None, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the named columns of every image, or of those a filter accepts, in bounded memory and table order.

        Raises:
            GalleryCorruptError: if the tables cannot be read; ``num_images`` has said before whether the filter can be.
        """
        with self._reading():
            found = self._images.search().select(list(columns))
            yield from (found if where is None else found.where(where)).to_batches(batch_rows)

    def thumbnails(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the stored JPEG thumbnail of each of a few images, by key; imported ones have none."""
        condition = any_of("key", sorted(set(keys)))
        with reading_tables(self.folder):
            table = self._images.search().where(condition).select(["key", "thumbnail"]).to_arrow()
        pairs = zip(table.column("key").to_pylist(), table.column("thumbnail").to_pylist(), strict=True)
        return {key: jpeg for key, jpeg in pairs if jpeg is not None}

    def ensure_metadata(self, fields: Sequence[pa.Field]) -> None:
        """Add the metadata columns that are still missing.

        Raises:
            CatalogueError: if a column is there with another type.
        """
        for field in missing_columns(self._images.schema, fields):
            self._images.add_columns(field)

    def add_images(self, rows: Sequence[ImageRow], *, encoder: str) -> None:
        """Append images whose keys are not in the table; see ``image_rows.add_rows``."""
        add_rows(self._images, rows, encoder=encoder)

    def add_embeddings(self, columns: Mapping[str, pa.Array]) -> None:
        """Append rows whose keys are not in the table, given as columns; those left out are null.

        Args:
            columns: arrays of one length by name, each of its column's type; ``key`` is among them.
        """
        import pyarrow as pa

        schema, count = self._images.schema, len(columns["key"])
        arrays = [columns[f.name] if f.name in columns else pa.nulls(count, f.type) for f in schema]
        self._images.add(pa.record_batch(arrays, schema=schema))

    def relabel(self, rows: Sequence[dict[str, Any]]) -> None:
        """Change path, identity or metadata of images that are already there; see ``image_rows.change_rows``."""
        change_rows(self._images, rows)

    def remove_images(self, keys: Sequence[str]) -> None:
        """Delete images by key; see ``image_rows.delete_rows``."""
        delete_rows(self._images, keys)

    def record_files(self, records: Sequence[FileRecord], *, known: Iterable[str]) -> None:
        """Write ledger rows, replacing those of the paths in ``known``."""
        write_records(self._files, records, known=known)

    def forget_files(self, paths: Sequence[str]) -> None:
        """Delete ledger rows by stored path."""
        for chunk in chunks(paths, _KEYS_AT_ONCE):
            self._files.delete(any_of("path", chunk))

    def compact(self) -> None:
        """Merge small data files when many batches have been written; answers do not change."""
        for table in self.tables.values():
            statistics: Any = table.stats()
            if statistics["fragment_stats"]["num_fragments"] > _COMPACT_ABOVE:
                table.optimize()
