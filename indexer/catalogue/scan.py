"""Walk a catalogue with one stat a file and no decoding."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nearid_search.errors import CatalogueError
from nearid_search.images import IMAGE_SUFFIXES
from nearid_search.indexer.catalogue.labels import FolderLabels, NamedLabels
from nearid_search.records import Failure


class ScannedFile(NamedTuple):
    """A picture before it is opened.

    Attributes:
        path: its name in the catalogue; of a file the POSIX path relative to the catalogue.
        size: bytes; of a picture in a shard or Parquet file those of that file.
        mtime_ns: time of last modification, nanoseconds; of the same file.
        source: name in the catalogue of the shard, Parquet file or list that it comes from; None if it is a file of
            its own.
        place: where in that it stands; pictures are read in this order.
        etag: what a server called the content that is known of an address; None for files.
    """

    path: str
    size: int
    mtime_ns: int
    source: str | None = None
    place: int = 0
    etag: str | None = None


@dataclass(frozen=True)
class Scan:
    """What a catalogue holds.

    Attributes:
        files: images, in the order to read them.
        failures: images that cannot even be named or looked at.
        num_other: files that are no images by their suffix.
        labels: what the catalogue itself says of them.
        remarks: what else is to be known about it, one line each.
        hidden: folders that could not be listed, each ending in a slash (the catalogue itself is empty), and files that
            could not be looked at. What they hold is not known, so nothing there is gone.
    """

    files: list[ScannedFile]
    failures: list[Failure]
    num_other: int
    labels: FolderLabels | NamedLabels = field(default_factory=FolderLabels)
    remarks: tuple[str, ...] = ()
    hidden: list[str] = field(default_factory=list)

    def may_hold(self, path: str) -> bool:
        """Say whether a path that is not among the files may be there all the same."""
        return any(
            path.startswith(place) if place == "" or place.endswith("/") else path == place for place in self.hidden
        )


def scan_catalogue(catalogue: Path, *, leave_out: Path | None = None) -> Scan:
    """List the image files below a folder.

    Hidden files and folders are left out. Links to files are followed, links to folders are not, so a loop cannot trap
    the walk.

    Args:
        catalogue: the folder.
        leave_out: absolute path of a folder not to walk into, such as a gallery that lies in its catalogue.

    Returns:
        The files, sorted by path.

    Raises:
        CatalogueError: if ``catalogue`` is no folder or holds no image.
    """
    if not catalogue.is_dir():
        what = "is not a folder" if catalogue.exists() else "does not exist"
        raise CatalogueError(f"{catalogue} {what}: give the folder that holds the images")
    files: list[ScannedFile] = []
    failures: list[Failure] = []
    hidden: list[str] = []
    num_other = 0
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            entries = list(os.scandir(catalogue / prefix if prefix else catalogue))
        except OSError as error:
            failures.append(Failure(prefix or str(catalogue), f"folder cannot be read: {error.strerror}"))
            hidden.append(prefix)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if leave_out is not None and entry.path == str(leave_out):
                    continue
                pending.append(f"{prefix}{entry.name}/")
            elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:
                _look_at(entry, prefix, files, failures, hidden)
            else:
                num_other += 1
    if not files and not failures:
        found = f"{num_other} other files" if num_other else "no files at all"
        raise CatalogueError(
            f"{catalogue} holds no images ({found}): expected .jpg, .png, .webp, .tif, .bmp, .gif, .heic or .avif"
        )
    files.sort()
    return Scan(files, failures, num_other, hidden=hidden)


def _look_at(
    entry: os.DirEntry[str], prefix: str, files: list[ScannedFile], failures: list[Failure], hidden: list[str]
) -> None:
    path = prefix + entry.name
    try:
        path.encode()
        status = entry.stat()
    except UnicodeEncodeError:
        failures.append(Failure(ascii(path), "file name is not valid UTF-8: rename it"))
    except OSError as error:
        failures.append(Failure(path, f"cannot be looked at: {error.strerror}"))
        hidden.append(path)
    else:
        files.append(ScannedFile(path, status.st_size, status.st_mtime_ns))


def list_pictures(folder: str | Path) -> list[Path]:
    """List the pictures below a folder by their suffixes; nothing is opened.

    Hidden files and folders are left out, and links to folders are not followed. A folder may be empty: a camera may
    not have written yet.

    Args:
        folder: where to look.

    Returns:
        Their paths, each beginning with ``folder``, sorted.

    Raises:
        CatalogueError: if it is no folder, a folder in it cannot be read, or the name of a picture is not UTF-8.
    """
    if not Path(folder).is_dir():
        raise CatalogueError(f"{folder} is not a folder: give the folder that holds the pictures")
    found = []
    for parent, folders, names in os.walk(folder, onerror=_refuse_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = [name for name in names if not name.startswith(".")]
        found += [Path(parent, name) for name in shown if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES]
    for path in map(str, found):
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise CatalogueError(f"{path!a}: file name is not valid UTF-8: rename it") from error
    return sorted(found)


def _refuse_folder(error: OSError) -> None:
    raise CatalogueError(f"{error.filename}: folder cannot be read: {error.strerror}") from error


def list_query_images(paths: list[Path]) -> list[Path]:
    """Expand folders among query paths into their images, sorted; files stand as they are.

    Args:
        paths: files and folders.

    Returns:
        At least one path.

    Raises:
        CatalogueError: if a folder holds no images, or one that cannot be named or looked at.
    """
    expanded: list[Path] = []
    for path in paths:
        if not path.is_dir():
            expanded.append(path)
            continue
        scan = scan_catalogue(path)
        if scan.failures:
            first = scan.failures[0]
            raise CatalogueError(f"{path}: {first.path}: {first.error}")
        expanded += [path / file.path for file in scan.files]
    return expanded
