"""Read and decode ahead of the encoder, in threads, in order and in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.images import decode_image, encode_thumbnail
from nearid_search.indexer.catalogue.picture_source import Picture
from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.map_ahead import map_ahead


class ReadFile(NamedTuple):
    """What reading one picture gave.

    Attributes:
        file: the picture's file or entry.
        key: SHA-256 of its bytes in hex; None if they could not be read, or are what the ledger knows already.
        error: why it is no picture; None if it is one or its key was known.
        prepared: (S, S, 3) uint8 input of the encoder; None if there is an error or the key was known.
        whole: the same before it was painted over; None if nothing was.
        width: of the picture, pixels.
        height: of the picture, pixels.
        thumbnail: JPEG bytes.
        passing: whether the error may be gone the next time although the file is the same.
    """

    file: ScannedFile
    key: str | None
    error: str | None = None
    prepared: NDArray[np.uint8] | None = None
    whole: NDArray[np.uint8] | None = None
    width: int = 0
    height: int = 0
    thumbnail: bytes = b""
    passing: bool = False


class PreparedPicture(NamedTuple):
    """A picture as the encoder and the tables take it; the fields are those of ``ReadFile``."""

    prepared: NDArray[np.uint8]
    whole: NDArray[np.uint8] | None
    width: int
    height: int
    thumbnail: bytes


def content_key(data: bytes) -> str:
    """Return the key of a picture: SHA-256 of its file's bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def read_ahead(
    pictures: Iterable[Picture],
    encoder: ImageEncoder,
    *,
    known: Collection[str],
    threads: int = 0,
    ahead: int = 32,
) -> Generator[ReadFile]:
    """Read and prepare every picture, in the order given.

    Args:
        pictures: what to read.
        encoder: decides the size pictures are prepared to.
        known: keys that need no decoding; may grow while this runs.
        threads: how many; 0 means one a processor core.
        ahead: files in flight at most, so memory does not grow with the catalogue.

    Returns:
        A generator of one result a picture, damaged ones included.
    """
    return map_ahead(lambda picture: _read_one(picture, encoder, known), pictures, threads=threads, ahead=ahead)


def _read_one(picture: Picture, encoder: ImageEncoder, known: Collection[str]) -> ReadFile:
    file, key = picture.file, None
    try:
        data = picture.read()
        if data is None:
            return ReadFile(file, None)
        key = content_key(data)
        if key in known:
            return ReadFile(file, key)
        return ReadFile(file, key, None, *prepare_picture(data, encoder, name=file.path))
    except UnreadableImageError as error:
        return ReadFile(file, key, error.reason, passing=error.passing)


def prepare_picture(data: bytes, encoder: ImageEncoder, *, name: str, max_pixels: int | None = None) -> PreparedPicture:
    """Decode a picture, once for everything that is made of it.

    Args:
        data: the bytes of its file.
        encoder: decides the size it is prepared to, and what is painted over.
        name: path of the file, as the user's masks mirror it.
        max_pixels: as for ``decode_image``.

    Raises:
        UnreadableImageError: if it cannot be read, or has too many pixels.
    """
    image = decode_image(data, name=name, min_side=encoder.min_side, max_pixels=max_pixels)
    whole = encoder.preprocessing.resize(image.pixels)
    prepared = encoder.paint(whole, image.pixels, name)
    kept = None if encoder.foreground is None else whole
    return PreparedPicture(prepared, kept, image.width, image.height, encode_thumbnail(image.pixels))
