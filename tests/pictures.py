"""Pictures made by hand for the tests of image reading: every format, from one seeded array."""

import struct
import zlib
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pillow_heif import HeifFile, from_pillow

LOSSLESS = ("PNG", "BMP", "TIFF", "TIFF-LZW", "TIFF-DEFLATE", "WEBP-LOSSLESS")
LOSSY = ("JPEG", "JPEG-PROGRESSIVE", "MPO", "WEBP", "AVIF", "HEIF")
EVERY_FORMAT = (*LOSSLESS, *LOSSY, "GIF")

_OPTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "TIFF-LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF-DEFLATE": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "WEBP": ("WEBP", {"quality": 95}),
    "WEBP-LOSSLESS": ("WEBP", {"lossless": True}),
    "JPEG": ("JPEG", {"quality": 95, "subsampling": 0}),
    "JPEG-PROGRESSIVE": ("JPEG", {"quality": 95, "progressive": True}),
    "AVIF": ("AVIF", {"quality": 95}),
}


@cache
def gradient(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """(H, W, 3) colours that differ at each corner, so that no flip or rotation goes unseen, with a little noise."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green = rows * 255 // height, columns * 255 // width
    smooth = np.dstack([red, green, (255 - red // 2 - green // 2)])
    noise = np.random.default_rng(7).integers(-2, 3, smooth.shape)
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def encode(image: Image.Image, variant: str, **options: object) -> bytes:
    """Store a picture in one of EVERY_FORMAT."""
    name, defaults = _OPTIONS.get(variant, (variant, {}))
    buffer = BytesIO()
    if name == "HEIF":
        file: HeifFile = from_pillow(image)
        file.save(buffer, quality=95, **options)
    elif name == "MPO":
        second = Image.new("RGB", image.size, "red")
        image.save(buffer, "MPO", save_all=True, append_images=[second], quality=95, subsampling=0)
    else:
        image.save(buffer, name, **{**defaults, **options})
    return buffer.getvalue()


@cache
def sample(variant: str) -> bytes:
    """The gradient in one of EVERY_FORMAT."""
    return encode(Image.fromarray(gradient()), variant)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, *, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG up to and with its header; colour 0 is grey, 2 RGB, 4 grey with alpha."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(width: int, height: int, rows: bytes, **kind: int) -> bytes:
    """A PNG from its unfiltered rows."""
    return png_header(width, height, **kind) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
