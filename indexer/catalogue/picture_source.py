"""What a catalogue can be: a folder of pictures, shards and Parquet files that hold them, or a list that names them.

Each kind names its pictures, reads them in order, and says what they show; indexing itself knows no more of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from nearid_search.config import FetchConfig
from nearid_search.errors import CatalogueError
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.scan import Scan, ScannedFile, scan_catalogue
from nearid_search.indexer.location import catalogue_prefix, in_catalogue, stored_path
from nearid_search.indexer.rows import FileRecord
from nearid_search.packed_pictures import PARQUET_SUFFIX, TAR_SUFFIX, holds_pictures, open_parquet

LIST_SUFFIXES = (".txt", ".csv")


class Picture(NamedTuple):
    """A picture to be read.

    Attributes:
        file: what is known of it; of an address, what its server has said of it by now.
        read: gives its bytes, or None if they are what the ledger knows already; may be called from any thread.
    """

    file: ScannedFile
    read: Callable[[], bytes | None]


class PictureSource(Protocol):
    """One kind of catalogue."""

    @property
    def catalogue(self) -> Path:
        """Absolute path of the folder or file."""
        ...

    def scan(self, ledger: Mapping[str, FileRecord]) -> Scan:
        """List the pictures; none is opened.

        Args:
            ledger: what the gallery knows, by stored path.

        Raises:
            CatalogueError: if the catalogue cannot be used or holds no picture.
        """
        ...

    def pictures(self, files: Sequence[ScannedFile]) -> Iterator[Picture]:
        """Yield some of the scanned pictures, in the order given, ready to be read.

        ``Picture.read`` raises ``UnreadableImageError`` if there is nothing to be read.
        """
        ...

    def refuse(self, files: Iterable[ScannedFile]) -> None:
        """Raise ``CatalogueError`` if these pictures may not be read; called before any work."""
        ...

    def stored(self, path: str) -> str:
        """Turn a picture's name in the catalogue into its stored path."""
        ...

    def named(self, stored: str) -> str:
        """Turn a stored path into the picture's name in the catalogue."""
        ...

    def shown(self, path: str) -> str:
        """Return a picture's name in the catalogue as a person would look it up."""
        ...

    def owns(self, record: FileRecord) -> bool:
        """Say whether a record of the ledger is of this catalogue, so that it is gone if it is not there."""
        ...


class PicturesBelow:
    """A folder of pictures.

    Args:
        catalogue: absolute path of the folder.
        folder: of the gallery; stored relative paths start from the folder that holds it.
    """

    def __init__(self, catalogue: Path, folder: Path) -> None:
        self.catalogue = catalogue
        self._root, self._folder = catalogue, folder
        self._stored = stored_path(catalogue, home=folder.parent)
        self._prefix = catalogue_prefix(self._stored)

    def scan(self, ledger: Mapping[str, FileRecord]) -> Scan:
        """See ``scan_catalogue``."""
        del ledger  # a file says by itself whether it has changed
        return scan_catalogue(self.catalogue, leave_out=self._folder)

    def pictures(self, files: Sequence[ScannedFile]) -> Iterator[Picture]:
        """Yield the files; each is read by the thread that needs it."""
        for file in files:
            yield Picture(file, partial(read_file, self._root / file.path))

    def refuse(self, files: Iterable[ScannedFile]) -> None:
        """Do nothing: files of this machine may be read."""

    def stored(self, path: str) -> str:
        """Return the path from the folder that holds the gallery's."""
        return self._prefix + path

    def named(self, stored: str) -> str:
        """Return the path from the catalogue."""
        return stored.removeprefix(self._prefix)

    def shown(self, path: str) -> str:
        """Return the path of the file."""
        return os.path.join(self._root, path)

    def owns(self, record: FileRecord) -> bool:
        """Say whether it is a file of its own below the folder."""
        return record.source is None and in_catalogue(record.path, self._stored, folder=self._folder)


def open_source(
    catalogue: Path, *, folder: Path, fetch: FetchConfig | None = None, refetch: bool = False
) -> PictureSource:
    """Return what a catalogue is; its content is not looked at yet, except to tell a kind of Parquet file.

    Args:
        catalogue: absolute path of a folder or a file.
        folder: of the gallery.
        fetch: how addresses are fetched; None if they may not be.
        refetch: ask again for addresses whose pictures are known.

    Raises:
        CatalogueError: if it does not exist or is a file of another kind.
    """
    from nearid_search.indexer.catalogue.picture_list import PictureList
    from nearid_search.indexer.catalogue.shards import Shards, find_shards

    if catalogue.is_dir():
        shards = find_shards(catalogue, leave_out=folder)
        return Shards(catalogue, folder) if shards else PicturesBelow(catalogue, folder)
    suffix = catalogue.suffix.lower()
    if not catalogue.is_file():
        what = "is not a folder or file" if catalogue.exists() else "does not exist"
        raise CatalogueError(f"{catalogue} {what}: give the folder that holds the images")
    if suffix == TAR_SUFFIX or (suffix == PARQUET_SUFFIX and _has_pictures(catalogue)):
        return Shards(catalogue.parent, folder, only=catalogue.name)
    if suffix in (*LIST_SUFFIXES, PARQUET_SUFFIX):
        return PictureList(catalogue, folder, fetch=fetch, refetch=refetch)
    raise CatalogueError(
        f"{catalogue} is not a folder: give the folder that holds the images, a .tar or .parquet file of pictures, or "
        "a .txt, .csv or .parquet list of paths or URLs"
    )


def _has_pictures(file: Path) -> bool:
    try:
        with open_parquet(file) as opened:
            return holds_pictures(opened.schema_arrow)
    except OSError as error:
        raise CatalogueError(f"{file} cannot be read: {error.strerror or error}") from error
