"""Untrusted bytes to upright 8-bit RGB, or an UnreadableImageError that says why not.

Three rules keep this safe. The content chooses one of eight decoders, never the suffix and never Pillow's full list.
The size in the header is compared with free memory before any pixel is decoded. Every way a decoder is known to fail
ends in one error class.
"""

import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from nearid_search.errors import UnreadableImageError
from nearid_search.image_formats import count_scans, describe_unknown, ends_early, sniff_format
from nearid_search.pixel_budget import CEILING_PIXELS, default_max_pixels
from nearid_search.pixels import to_rgb

MAX_STREAMED_PIXELS = 2**29
"""Bound on the header of a JPEG that is reduced while it streams, so that its full size never exists in memory."""

MAX_SCANS = 256
"""Bound on the scans of a progressive JPEG: encoders write about ten, and each costs the time of the whole picture."""

# What Pillow's and pillow-heif's parsers are known to raise on damaged input. Programming by exception is their style:
# a short buffer is an IndexError in one plugin, an AssertionError in the next. Interrupts are not among them.
_DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    SystemError,
    TypeError,
    ValueError,
    Warning,  # raised where the user turned warnings into errors
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """One picture, upright, in 8-bit RGB.

    Attributes:
        pixels: (H, W, 3) uint8. Smaller than ``height`` and ``width`` if the decoder reduced the picture.
        width: the picture's own width in pixels, after orientation and before reduction.
        height: the picture's own height, likewise.
        format: what the content is: JPEG, PNG, WEBP, TIFF, BMP, GIF, HEIF or AVIF.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str


def decode_image(data: bytes, *, name: str, min_side: int = 0, max_pixels: int | None = None) -> DecodedImage:
    """Decode the first picture in a file's bytes.

    Safe to call from many threads at once. The same bytes and ``min_side`` always give the same pixels.

    Args:
        data: the whole file.
        name: the path, or where the bytes came from; only used in the error.
        min_side: if > 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides stay at least this
            many pixels. 0 decodes every picture in full.
        max_pixels: the most pixels to decode, > 0; ``default_max_pixels()`` if None. Never more than ``CEILING_PIXELS``
            of nearid_search.pixel_budget.

    Returns:
        Upright RGB pixels, transparent parts on white, and the picture's own size.

    Raises:
        UnreadableImageError: if the bytes are empty, no supported picture, damaged, or too large for the memory.
        ValueError: if ``min_side`` is negative or ``max_pixels`` is not positive.
    """
    if min_side < 0:
        raise ValueError(f"min_side must be 0 or more pixels, got {min_side}")
    if max_pixels is not None and max_pixels < 1:
        raise ValueError(f"max_pixels must be 1 or more, got {max_pixels}")
    if not data:
        raise UnreadableImageError(name, "empty file: zero bytes")
    format_name = sniff_format(data)
    if format_name is None:
        raise UnreadableImageError(name, describe_unknown(data))
    limit = min(CEILING_PIXELS, default_max_pixels() if max_pixels is None else max_pixels)
    _hush_pillow()
    try:
        return _decode(data, format_name, min_side, limit)
    except _TooLargeError as error:
        raise UnreadableImageError(name, str(error), passing=limit < CEILING_PIXELS) from None
    except _DECODER_ERRORS as error:
        reason = _failure_reason(data, format_name, error)
        raise UnreadableImageError(name, reason, passing=isinstance(error, MemoryError)) from error


def read_exif(data: bytes) -> dict[int, Any]:
    """Return what the camera wrote beside a picture.

    Args:
        data: the whole file.

    Returns:
        Values of the EXIF directory by tag; empty if there are none, they are damaged, or the bytes are no picture that
        ``decode_image`` takes.
    """
    format_name = sniff_format(data)
    if format_name is None:
        return {}
    _hush_pillow()
    try:
        with _OPENERS[format_name](BytesIO(data)) as image:
            if isinstance(image, PngImagePlugin.PngImageFile):  # its metadata may stand behind pixels, which it decodes
                _check_size(image.size, default_max_pixels())
            return image.getexif().get_ifd(ExifTags.IFD.Exif)
    except (_TooLargeError, *_DECODER_ERRORS):
        return {}


class _TooLargeError(Exception):
    """The picture is refused for its size; the message is the reason shown."""


def _open_heif(stream: BytesIO) -> ImageFile.ImageFile:
    # Imported at the first HEIC picture: it loads a codec that most catalogues never need. The class is used as it is,
    # so Pillow's registry of formats stays as the user's program left it.
    from pillow_heif import HeifImageFile

    opened: ImageFile.ImageFile = HeifImageFile(stream)  # type: ignore[no-untyped-call]  # theirs has no annotations
    return opened


# Pillow's classes are called directly, not through Image.open: that would also try other formats and warn about sizes
# that are bounded here. A JPEG with further pictures behind it (MPO, from many phones) is read as its first one.
_OPENERS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "HEIF": _open_heif,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}


def _decode(data: bytes, format_name: str, min_side: int, limit: int) -> DecodedImage:
    with _OPENERS[format_name](BytesIO(data)) as image:
        full_size = image.size
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            _check_scans(image, data)
            streamed = _is_streamed(image, data)
            if min_side > 0:
                image.draft(None, (min_side, min_side))
            _check_size(full_size, MAX_STREAMED_PIXELS if streamed else limit)
        _check_size(image.size, limit)
        announced = image.size
        image.load()
        if image.size != announced:  # TIFF turns itself upright while loading; HEIF may correct its header
            _check_size(image.size, limit)
            full_size = image.size
        orientation = _orientation(image)
        pixels = to_rgb(image, orientation=orientation)
    width, height = full_size if orientation < 5 else full_size[::-1]
    return DecodedImage(pixels=pixels, width=width, height=height, format=format_name)


def _check_size(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise _TooLargeError(
            f"too large: {width} x {height} = {width * height:,} pixels, at most {limit:,} fit in memory"
        )


def _check_scans(image: JpegImagePlugin.JpegImageFile, data: bytes) -> None:
    if image.fp is not None and count_scans(data, image.fp.tell(), most=MAX_SCANS + 1) > MAX_SCANS:
        raise _TooLargeError(f"too large: more than {MAX_SCANS} scans")


def _is_streamed(image: JpegImagePlugin.JpegImageFile, data: bytes) -> bool:
    """Whether the decoder can work row by row: one scan that holds every component.

    Otherwise (progressive, or one scan a component) it keeps the coefficients of the full picture, reduced or not.
    """
    if "progressive" in image.info or image.fp is None:
        return False
    scan_header = struct.pack(">HB", 6 + 2 * image.layers, image.layers)
    start = image.fp.tell() - len(scan_header) - 2 * image.layers - 3
    return start > 0 and data.startswith(scan_header, start)


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODER_ERRORS:
        return 1  # damaged metadata beside a sound picture: show it as stored, as viewers do
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _failure_reason(data: bytes, format_name: str, error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"too large: not enough memory to decode this {format_name}"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"too large: {error}"
    detail = " ".join(str(error).split()) or type(error).__name__
    if "truncated" in detail.lower() or ends_early(data, format_name):
        return f"truncated {format_name}: {detail}"
    return f"corrupt {format_name}: {detail}"


_hush_lock = threading.Lock()
_HUSHED_MODULES = r"PIL\.(Jpeg|Png|Tiff)ImagePlugin"


def _hush_pillow() -> None:
    """Keep remarks about odd metadata, which Pillow's plugins print while a picture decodes well, off the screen.

    ``warnings.catch_warnings`` would restore the whole process's filters while other threads decode, so one narrow
    filter is added at the first picture and left there. It is looked for again each time, as whoever restores older
    filters drops it.
    """
    with _hush_lock:
        if not any(_is_hush_filter(entry[3]) for entry in warnings.filters):
            warnings.filterwarnings("ignore", category=UserWarning, module=_HUSHED_MODULES)
        pillow_log = logging.getLogger("PIL")
        if not pillow_log.handlers:  # a program without log handlers would otherwise see errors on stderr
            pillow_log.addHandler(logging.NullHandler())


def _is_hush_filter(module: object) -> bool:
    return getattr(module, "pattern", None) == _HUSHED_MODULES
