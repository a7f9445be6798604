"""A catalogue of tar shards and Parquet files: what pictures they hold, and how these are read.

A picture is known by its shard and its name or row there, and is unchanged while the shard has the size and time that
it had. So a shard that was written again is read again, and pictures whose bytes are known are not encoded again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from nearid_search.errors import CatalogueError, UnreadableImageError
from nearid_search.images import IMAGE_SUFFIXES, MAX_FILE_BYTES, read_file
from nearid_search.indexer.catalogue.labels import NamedLabels
from nearid_search.indexer.catalogue.parquet_shard import scan_parquet
from nearid_search.indexer.catalogue.picture_source import Picture, PicturesBelow
from nearid_search.indexer.catalogue.scan import Scan, ScannedFile
from nearid_search.indexer.catalogue.shard_labels import LabelTable
from nearid_search.indexer.catalogue.tar_shard import scan_tar
from nearid_search.indexer.location import in_catalogue
from nearid_search.indexer.rows import FileRecord
from nearid_search.packed_pictures import PARQUET_SUFFIX, TAR_SUFFIX, read_rows
from nearid_search.records import Failure

SHARD_SUFFIXES = (TAR_SUFFIX, PARQUET_SUFFIX)


def find_shards(root: Path, *, leave_out: Path | None = None) -> list[str]:
    """Return the tar and Parquet files below a folder, sorted; none if there is a picture among its files.

    Args:
        root: the folder; hidden entries and links to folders are left out, as in a folder of pictures.
        leave_out: absolute path of a folder not to walk into.
    """
    found: list[str] = []
    for parent, folders, names in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (leave_out is None or os.path.join(parent, name) != str(leave_out))
        ]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if suffix in IMAGE_SUFFIXES and not name.startswith("."):
                return []
            if suffix in SHARD_SUFFIXES and not name.startswith("."):
                found.append(Path(parent, name).relative_to(root).as_posix())
    return sorted(found)


class Shards(PicturesBelow):
    """Tar shards and Parquet files as a catalogue; a path names a picture as if its shard were a folder.

    Args:
        root: absolute path of the folder that holds them.
        folder: of the gallery.
        only: name of the one file that is the catalogue; None for all below the folder.
    """

    def __init__(self, root: Path, folder: Path, *, only: str | None = None) -> None:
        super().__init__(root, folder)
        self._only = only
        if only is not None:
            self.catalogue = root / only

    def scan(self, ledger: Mapping[str, FileRecord]) -> Scan:
        """List what every shard holds, from the headers of tar files and the other columns of Parquet files."""
        del ledger  # a shard says by itself whether it has changed
        names = [self._only] if self._only is not None else find_shards(self._root, leave_out=self._folder)
        files: list[ScannedFile] = []
        failures: list[Failure] = []
        labels = LabelTable()
        for name in names:
            scan = scan_tar if name.lower().endswith(TAR_SUFFIX) else scan_parquet
            try:
                name.encode()
                status = (self._root / name).stat()
                found = scan(self._root / name, name, labels)
            except UnicodeEncodeError:
                failures.append(Failure(ascii(name), "file name is not valid UTF-8: rename it"))
                continue
            except OSError as error:
                failures.append(Failure(self.shown(name), f"cannot be read: {error.strerror or error}"))
                continue
            files += [
                ScannedFile(path, status.st_size, status.st_mtime_ns, name, place) for path, place in found.pictures
            ]
            failures += [Failure(self.shown(path), reason) for path, reason in found.faults]
        if not files and not failures:
            raise CatalogueError(
                f"{self.catalogue} holds no pictures: expected members such as 1.jpg in a .tar file, or a column image "
                "of bytes in a .parquet file"
            )
        return Scan(files, failures, 0, NamedLabels(labels.labels, labels.fields()), labels.remarks())

    def pictures(self, files: Sequence[ScannedFile]) -> Iterator[Picture]:
        """Yield pictures shard by shard; rows of a Parquet file are read here, members of a tar file in any thread."""
        for shard, members in groupby(files, key=lambda file: file.source):
            if shard is not None and shard.lower().endswith(PARQUET_SUFFIX):
                yield from self._rows(self._root / shard, list(members))
            else:
                for file in members:
                    yield Picture(file, partial(read_file, self._root / file.path))

    def _rows(self, shard: Path, files: list[ScannedFile]) -> Iterator[Picture]:
        by_row = {file.place: file for file in files}
        for row, data in read_rows(shard, sorted(by_row)):
            yield Picture(by_row[row], partial(_given, data))

    def owns(self, record: FileRecord) -> bool:
        """Say whether it comes from one of these shards; a list or a folder of pictures beside them has its own."""
        if record.source is None or not record.source.lower().endswith(SHARD_SUFFIXES):
            return False
        if not record.path.startswith((f"{record.source}/", f"{record.source}#")):
            return False  # a list may be a Parquet file
        if self._only is not None:
            return record.source == self._prefix + self._only
        return in_catalogue(record.source, self._stored, folder=self._folder)


def _given(data: bytes | UnreadableImageError) -> bytes:
    if isinstance(data, UnreadableImageError):
        raise data
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableImageError("a row", f"too large: more than {MAX_FILE_BYTES:,} bytes")
    return data
