"""Pictures as they are sent: bytes become pixels in threads, within the bounds of the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from fastapi import UploadFile

from nearid_search.errors import ServiceError, UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.images import decode_image, default_max_pixels
from nearid_search.indexer.catalogue.pipeline import PreparedPicture, content_key, prepare_picture
from nearid_search.records import Failure
from nearid_search.server.work import Picture

_LONGEST_NAME = 200


@dataclass(frozen=True, eq=False)
class Upload:
    """A picture as it was sent.

    Attributes:
        name: what its sender calls it.
        file: holds its bytes, large ones on disk: they are in memory only while somebody looks at them.
    """

    name: str
    file: BinaryIO

    def read(self) -> bytes:
        """Return its bytes."""
        self.file.seek(0)
        return self.file.read()


def name_of(filename: str | None, number: int) -> str:
    r"""Return what to call a picture: its file name without folders, or its place in the request.

    Example:
        >>> name_of("C:\\photos\\cup.jpg", 1), name_of(None, 2), name_of("../..", 3)
        ('cup.jpg', 'picture 2', 'picture 3')
    """
    last = PurePosixPath((filename or "").replace("\\", "/")).name
    shown = "".join(character for character in last if character.isprintable()).strip(" .")
    return shown[-_LONGEST_NAME:] or f"picture {number}"


def uploads_of(files: Sequence[UploadFile]) -> list[Upload]:
    """Return the pictures of a form."""
    return [Upload(name_of(file.filename, number), file.file) for number, file in enumerate(files, start=1)]


def check_count(count: int, most: int) -> None:
    """Refuse a request with no picture, or too many.

    Raises:
        ServiceError: 413 for too many, 422 for none.
    """
    if count > most:
        raise ServiceError(f"{count} pictures in one request, {most} may be: send several requests", status=413)
    if not count:
        raise ServiceError("no picture was sent: send at least one as a form field named images", status=422)


def prepare(upload: Upload, encoder: ImageEncoder, *, max_pixels: int) -> PreparedPicture | Failure:
    """Decode a picture for whoever puts it into a gallery; arguments and result as for ``decode``."""
    try:
        limit = min(max_pixels, default_max_pixels())
        return prepare_picture(upload.read(), encoder, name=upload.name, max_pixels=limit)
    except UnreadableImageError as error:
        return Failure(upload.name, error.reason)


def decode(upload: Upload, encoder: ImageEncoder, *, max_pixels: int, keep_pixels: bool) -> Picture | Failure:
    """Decode a picture and resize it for the encoder.

    Args:
        upload: the picture.
        encoder: what it is for.
        max_pixels: pixels it may have, if the free memory allows as many.
        keep_pixels: whether they are wanted beside the encoder's input.

    Returns:
        The picture, or why it cannot be used.
    """
    try:
        limit = min(max_pixels, default_max_pixels())
        data = upload.read()
        image = decode_image(data, name=upload.name, min_side=encoder.min_side, max_pixels=limit)
        prepared = encoder.prepare(image.pixels, upload.name)
    except UnreadableImageError as error:
        return Failure(upload.name, error.reason)
    return Picture(upload.name, content_key(data), image.pixels if keep_pixels else None, prepared)
