"""Read the pictures of a catalogue from disk and make their thumbnails.

A catalogue holds what phones, scanners and download scripts left behind: each file is read as if it were hostile.
"""

import os
import stat
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.errors import ShapeError, StorageError, UnreadableImageError
from nearid_search.image_decoding import DecodedImage, decode_image
from nearid_search.image_formats import IMAGE_SUFFIXES
from nearid_search.object_storage.path import ObjectPath
from nearid_search.packed_pictures import read_packed
from nearid_search.pixel_budget import default_max_pixels

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_FILE_BYTES",
    "DecodedImage",
    "decode_image",
    "default_max_pixels",
    "encode_thumbnail",
    "read_file",
    "read_image",
]

MAX_FILE_BYTES = 2**30
"""Larger files are refused unread: a picture within the pixel bound is smaller even uncompressed."""


def read_file(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Read a regular file, without ever waiting on a pipe or device that stands in its place.

    Args:
        path: the file; links are followed. It may name a picture in a tar or Parquet file, see ``packed_pictures``.
        max_bytes: the most bytes to read, > 0.

    Returns:
        All bytes of the file, at least one.

    Raises:
        UnreadableImageError: if the path is missing, forbidden, not a regular file, empty or larger than ``max_bytes``.
    """
    if isinstance(path, ObjectPath):
        return _read_object(path, max_bytes)
    try:
        # Looked at before it is opened, as opening alone can rewind a tape; opened without blocking, as it may be
        # replaced by a pipe in between.
        _require_regular(path, path.stat().st_mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a Path cannot be opened without blocking
            before = os.fstat(descriptor)
            _require_regular(path, before.st_mode)
            # No more than the file says it has: asked for max_bytes, Python would reserve as much at once.
            data = file.read(min(before.st_size, max_bytes) + 1)
            after = os.fstat(descriptor)
    except UnreadableImageError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        packed = read_packed(path, max_bytes=max_bytes)
        if packed is None:
            reason = "no such file" if isinstance(error, FileNotFoundError) else "not a directory"
            raise UnreadableImageError(str(path), reason, passing=True) from None
        return packed
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableImageError(str(path), reason.lower(), passing=True) from error
    if len(data) > max_bytes:
        raise UnreadableImageError(str(path), f"too large: more than {max_bytes:,} bytes")
    if len(data) != after.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UnreadableImageError(str(path), "was changed while it was read: give the command again", passing=True)
    if not data:
        raise UnreadableImageError(str(path), "empty file: zero bytes")
    return data


def _read_object(path: ObjectPath, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise UnreadableImageError(str(path), f"too large: more than {max_bytes:,} bytes")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImageError(str(path), "no such file") from None
    except StorageError as error:
        raise UnreadableImageError(str(path), str(error).removeprefix(f"{path}: ")) from error
    if not data:
        raise UnreadableImageError(str(path), "empty file: zero bytes")
    return data


def _require_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UnreadableImageError(str(path), "is a directory")
    if not stat.S_ISREG(mode):
        raise UnreadableImageError(str(path), "not a regular file")


def read_image(path: Path, *, min_side: int = 0, max_pixels: int | None = None) -> DecodedImage:
    """Read and decode one picture: ``read_file`` and then ``decode_image``.

    Args:
        path: the file.
        min_side: as in ``decode_image``.
        max_pixels: as in ``decode_image``.

    Returns:
        Upright RGB pixels and the picture's own size.

    Raises:
        UnreadableImageError: if the file cannot be read or decoded.
        ValueError: if ``min_side`` is negative or ``max_pixels`` is not positive.
    """
    return decode_image(read_file(path), name=str(path), min_side=min_side, max_pixels=max_pixels)


def encode_thumbnail(pixels: NDArray[np.uint8], *, side: int = 256) -> bytes:
    """Shrink a picture and store it as a JPEG; the same pixels always give the same bytes.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        side: the longest side of the result in pixels, > 0. Smaller pictures are not enlarged.

    Returns:
        A JPEG file, quality 85.

    Raises:
        ShapeError: if ``pixels`` is not (H, W, 3) uint8 with H, W > 0.
        ValueError: if ``side`` is not positive.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ShapeError(f"pixels must be (H, W, 3) uint8 and not empty, got {pixels.shape} {pixels.dtype}")
    if side < 1:
        raise ValueError(f"side must be 1 or more pixels, got {side}")
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=1.0)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
