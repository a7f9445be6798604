"""Pictures that came as bytes, kept in the gallery's folder under the names of their keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nearid_search.durable_file import remove_file, write_file
from nearid_search.errors import GalleryLockedError, UnreadableImageError
from nearid_search.image_formats import describe_unknown, sniff_format
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.corrections.targets import PictureFile
from nearid_search.indexer.location import UPLOADS_DIRNAME, stored_path

_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}


@contextmanager
def kept_upload(folder: Path, data: bytes, *, name: str) -> Iterator[PictureFile]:
    """Keep a picture's bytes as a file, unless what is done with it fails.

    The suffix follows from the content, so nobody but this library chooses a file name here.

    Args:
        folder: the gallery's folder; its writer lock is held, and no image of the gallery has this content.
        data: the bytes.
        name: what to call them in an error.

    Yields:
        The file.

    Raises:
        UnreadableImageError: if they are of no format that can be read.
        OSError: if the file cannot be written.
    """
    kind = sniff_format(data)
    if kind is None:
        raise UnreadableImageError(name, describe_unknown(data) if data else "empty file: zero bytes")
    key = content_key(data)
    path = folder / UPLOADS_DIRNAME / (key + _SUFFIXES.get(kind, f".{kind.lower()}"))
    path.parent.mkdir(exist_ok=True)
    write_file(path, data)
    try:
        yield PictureFile(key, stored_path(path, home=folder.parent), None)
    except BaseException:
        # Once the entry is written the picture is the gallery's, although something failed later.
        entries = CorrectionLog(folder).entries
        if not (entries and entries[-1].added is not None and entries[-1].added.key == key):
            with suppress(GalleryLockedError):  # the lease was lost, and the next `index` deletes it
                remove_file(path)
        raise
