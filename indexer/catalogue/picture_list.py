"""A catalogue that is a list: a text file of paths or URLs, or a table with a column ``path`` or ``url``.

Paths count from the folder of the list. What an address gave is not asked for again unless that is asked for, and then
with what the server called it, so that an unchanged picture is not sent again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.config import FetchConfig
from nearid_search.errors import CatalogueError, UnreadableImageError
from nearid_search.fetching import fetch_picture
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.labels import FolderLabels, Label, NamedLabels, check_metadata_names, read_table
from nearid_search.indexer.catalogue.picture_source import Picture
from nearid_search.indexer.catalogue.scan import Scan, ScannedFile
from nearid_search.indexer.location import stored_path
from nearid_search.indexer.rows import FileRecord
from nearid_search.map_ahead import map_ahead
from nearid_search.records import Failure

if TYPE_CHECKING:
    import pyarrow as pa

PATH, URL, IDENTITY = "path", "url", "identity"
_LIST_BYTES = 1 << 30
_NOT_FETCHED = -1  # size of an address that gave nothing yet; it is asked again


def is_url(name: str) -> bool:
    """Say whether an entry of a list is an address and not a path."""
    return "://" in name


class PictureList:
    """A list of pictures as a catalogue.

    Args:
        catalogue: absolute path of the list.
        folder: of the gallery.
        fetch: how addresses are fetched; None if they may not be.
        refetch: ask again for addresses whose pictures are known.
    """

    def __init__(self, catalogue: Path, folder: Path, *, fetch: FetchConfig | None, refetch: bool) -> None:
        self.catalogue = catalogue
        self._home = folder.parent
        self._stored = stored_path(catalogue, home=folder.parent)
        self._fetch, self._refetch = fetch, refetch

    def scan(self, ledger: Mapping[str, FileRecord]) -> Scan:
        """Read the list, and look at each file that it names.

        Raises:
            CatalogueError: if it cannot be read or names nothing, or a name stands twice.
        """
        is_text = self.catalogue.suffix.lower() == ".txt"
        entries, fields = _entries_of_text(self.catalogue) if is_text else _entries_of_table(self.catalogue)
        labels: dict[str, Label] = {}
        files: list[ScannedFile] = []
        failures: list[Failure] = []
        for place, (entry, label) in enumerate(entries):
            name = entry if is_url(entry) else os.path.relpath(self._absolute(entry), self.catalogue.parent)
            if name in labels:
                raise CatalogueError(f"{self.catalogue}: {entry} stands there twice: keep one of them")
            labels[name] = label
            found = self._look_at(name, place, ledger.get(self.stored(name)))
            if isinstance(found, Failure):
                failures.append(found)
            else:
                files.append(found)
        if not entries:
            raise CatalogueError(f"{self.catalogue} names no pictures: give one path or URL a line")
        return Scan(files, failures, 0, NamedLabels(labels, fields))

    def _look_at(self, name: str, place: int, known: FileRecord | None) -> ScannedFile | Failure:
        source = self.catalogue.name
        if is_url(name):
            left_alone = known is not None and (
                self._fetch is None or (known.size != _NOT_FETCHED and not self._refetch)
            )
            if known is not None and left_alone:
                return ScannedFile(name, known.size, known.mtime_ns, source, place, known.etag)
            etag = None if known is None or known.error is not None else known.etag
            return ScannedFile(name, _NOT_FETCHED, time.time_ns(), source, place, etag)
        try:
            name.encode()
            status = self._absolute(name).stat()
        except UnicodeEncodeError:
            return Failure(ascii(name), "file name is not valid UTF-8: rename it")
        except FileNotFoundError:
            return Failure(self.shown(name), f"listed in {source}, but there is no such file")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return Failure(self.shown(name), f"cannot be looked at: {reason}")
        return ScannedFile(name, status.st_size, status.st_mtime_ns, source, place)

    def pictures(self, files: Sequence[ScannedFile]) -> Iterator[Picture]:
        """Yield the pictures in the order given; addresses are fetched ahead, several at a time."""
        if self._fetch is None:
            yield from (self._file(file) for file in files)
            return
        connections = self._fetch.connections
        yield from map_ahead(self._fetched, files, threads=connections, ahead=2 * connections)

    def _file(self, file: ScannedFile) -> Picture:
        return Picture(file, partial(read_file, self._absolute(file.path)))

    def _fetched(self, file: ScannedFile) -> Picture:
        if not is_url(file.path):
            return self._file(file)
        assert self._fetch is not None  # noqa: S101  (pictures has looked)
        try:
            found = fetch_picture(file.path, self._fetch, etag=file.etag)
        except UnreadableImageError as error:
            return Picture(file, partial(_given, error))
        if found is None:
            return Picture(file, partial(_given, None))
        known = file._replace(size=len(found.data), mtime_ns=found.modified_ns, etag=found.etag)
        return Picture(known, partial(_given, found.data))

    def refuse(self, files: Iterable[ScannedFile]) -> None:
        """Refuse addresses unless fetching is allowed.

        Raises:
            CatalogueError: with the option that allows it.
        """
        urls = [file.path for file in files if is_url(file.path)]
        if urls and self._fetch is None:
            raise CatalogueError(
                f"{self.catalogue} names {len(urls)} addresses, such as {urls[0]}: they are fetched only with "
                "--allow-fetch"
            )

    def _absolute(self, name: str) -> Path:
        return Path(os.path.abspath(self.catalogue.parent / name))

    def stored(self, path: str) -> str:
        """Return an address as it is, and a file's path from the folder that holds the gallery's."""
        return path if is_url(path) else stored_path(self._absolute(path), home=self._home)

    def named(self, stored: str) -> str:
        """Return an address as it is, and a file's path from the list's folder."""
        return stored if is_url(stored) else os.path.relpath(self._home / stored, self.catalogue.parent)

    def shown(self, path: str) -> str:
        """Return an address as it is, and a file's absolute path."""
        return path if is_url(path) else str(self._absolute(path))

    def owns(self, record: FileRecord) -> bool:
        """Say whether this list brought it in."""
        return record.source == self._stored


def _given(data: bytes | UnreadableImageError | None) -> bytes | None:
    if isinstance(data, UnreadableImageError):
        raise data
    return data


def _entries_of_text(file: Path) -> tuple[list[tuple[str, Label]], tuple[pa.Field, ...]]:
    """Return each line and its label: a relative path's first folder names the thing, as in a folder of pictures."""
    try:
        text = read_file(file, max_bytes=_LIST_BYTES).decode()
    except UnreadableImageError as error:
        raise CatalogueError(f"{file} cannot be read: {error.reason}") from error
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{file} is not UTF-8 text: give one path or URL a line") from error
    lines = [line for line in text.splitlines() if line.strip()]
    return [(line, _label_of(line)) for line in lines], ()


def _label_of(entry: str) -> Label:
    path = os.path.normpath(entry)
    return Label(None) if is_url(entry) or path.startswith(("/", "..")) else FolderLabels().label(path)


def _entries_of_table(file: Path) -> tuple[list[tuple[str, Label]], tuple[pa.Field, ...]]:
    table = read_table(file, text=(PATH, URL, IDENTITY))
    names = table.column_names
    if PATH not in names and URL not in names:
        raise CatalogueError(
            f"{file} has no column path or url, nor a column image of bytes: it has {', '.join(names) or 'no columns'}"
        )
    check_metadata_names(names, file)
    extra = [name for name in names if name not in (PATH, URL, IDENTITY)]
    entries = []
    for line, row in enumerate(table.to_pylist(), start=2):
        entry = row.get(URL) or row.get(PATH)
        if not entry:
            raise CatalogueError(f"{file} line {line}: neither path nor url")
        identity: Any = row.get(IDENTITY)
        label = Label(identity, {name: row[name] for name in extra}) if identity else _label_of(entry)
        entries.append((entry, Label(label.identity, {name: row[name] for name in extra})))
    return entries, tuple(table.schema.field(name) for name in extra)
