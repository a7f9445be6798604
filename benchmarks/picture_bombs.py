"""Small files that ask for a large amount of memory or time, one of each kind known."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

from PIL import Image

_SIDE = 50_000
_FRAMES = 2_000


def bombs() -> dict[str, Callable[[], bytes]]:
    """Return what makes each bomb, by the name of a file for it; some take seconds to make."""
    small = Image.new("RGB", (64, 48), "teal")
    return {
        "pixels.png": lambda: _png(_SIDE, _SIDE, _zeros(_SIDE + 1, 200)),
        "tall.png": lambda: _png(1, 2**31 - 1, _zeros(2, 100)),
        "wide.png": lambda: _png(2**31 - 1, 1, _zeros(2, 100)),
        "within-the-bound-but-empty.png": lambda: _png(9_000, 9_000, _zeros(9_001, 9_000)),
        "interlaced.png": lambda: _png(_SIDE, _SIDE, _zeros(_SIDE + 1, 200), interlaced=1),
        "text.png": lambda: _png(8, 8, zlib.compress(bytes(72)), (b"zTXt", b"note\0\0" + _zeros(2**20, 1_024))),
        "long-text.png": lambda: _png(8, 8, zlib.compress(bytes(72)), (b"tEXt", b"note\0" + bytes(30_000_000))),
        "profile.png": lambda: _png(8, 8, zlib.compress(bytes(72)), (b"iCCP", b"p\0\0" + _zeros(2**20, 1_024))),
        "many-chunks.png": lambda: _png(8, 8, zlib.compress(bytes(72)), *[(b"tEXt", b"k\0v")] * 200_000),
        "endless-pixels.png": lambda: _png(8, 8, _zeros(2**20, 2_000)),
        "screen.gif": lambda: _gif(65_535, 65_535, 65_535, 65_535),
        "frame.gif": lambda: _gif(1, 1, 60_000, 60_000),
        "frames.gif": lambda: _saved(small, "GIF", save_all=True, append_images=_others(), loop=0),
        "frames.webp": lambda: _saved(small, "WEBP", save_all=True, append_images=_others()[:500]),
        "canvas.webp": lambda: _webp_canvas(),
        "frames.tiff": lambda: _saved(small, "TIFF", save_all=True, append_images=_others()[:500]),
        "pixels.tiff": lambda: _tiff(_SIDE, _SIDE, strip=100),
        "directory.tiff": lambda: (
            struct.pack("<2sHL", b"II", 42, 8) + struct.pack("<H", 65_535) + bytes(12 * 65_535 + 4)
        ),
        "loop.tiff": lambda: _looping_tiff(),
        "pixels.jpg": lambda: _resized_jpeg(small, 65_500, 65_500),
        "exif.jpg": lambda: _saved(small, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + b"\xff\xff" + bytes(60_000)),
        "profile.jpg": lambda: _saved(small, "JPEG", icc_profile=bytes(12_000_000)),
        "comments.jpg": lambda: b"\xff\xd8" + (b"\xff\xfe\xff\xff" + bytes(65_533)) * 500 + _saved(small, "JPEG")[2:],
        "scans.jpg": lambda: _many_scans(),
        "pixels.bmp": lambda: (
            b"BM" + struct.pack("<LHHL", 100, 0, 0, 54) + struct.pack("<LiiHHL", 40, _SIDE, _SIDE, 1, 24, 0)
        ),
        "negative.bmp": lambda: (
            b"BM" + struct.pack("<LHHL", 100, 0, 0, 54) + struct.pack("<LiiHHL", 40, 8, -(2**31), 1, 24, 0)
        ),
        "box.heic": lambda: struct.pack(">L", 2**32 - 1) + b"ftypheic" + bytes(100),
        "box.avif": lambda: (
            struct.pack(">L", 28) + b"ftypavif" + bytes(16) + struct.pack(">L4s", 2**31, b"meta") + bytes(50)
        ),
    }


def _zeros(row: int, rows: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(row)) for _ in range(rows)) + packer.flush()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, pixels: bytes, *extra: tuple[bytes, bytes], interlaced: int = 0) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced))
    between = b"".join(_chunk(*chunk) for chunk in extra)
    return b"\x89PNG\r\n\x1a\n" + header + between + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _gif(width: int, height: int, frame_width: int, frame_height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0) + b"\x02\x02\x4c\x01\x00;"


def _tiff(width: int, height: int, *, strip: int) -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, strip)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", *tag) for tag in tags) + bytes(4)
    return (struct.pack("<2sHL", b"II", 42, 8) + directory).ljust(200, b"\0") + bytes(strip)


def _looping_tiff() -> bytes:
    """A directory that names itself as the next one."""
    sound = _tiff(8, 8, strip=64)
    end = 8 + 2 + 9 * 12
    return sound[:end] + struct.pack("<L", 8) + sound[end + 4 :]


def _webp_canvas() -> bytes:
    size = (16_383).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<L", 10) + b"\x12\0\0\0" + size + size
    body = b"WEBP" + extended + b"ANIM" + struct.pack("<LLH", 6, 0, 0)
    frame = bytes(6) + size + size + bytes(4) + b"VP8L" + struct.pack("<L", 5) + b"\x2f\xff\xff\xff\x0f\0"
    body += b"ANMF" + struct.pack("<L", len(frame)) + frame
    return b"RIFF" + struct.pack("<L", len(body)) + body


def _resized_jpeg(image: Image.Image, width: int, height: int) -> bytes:
    jpeg = bytearray(_saved(image, "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(jpeg)


def _many_scans() -> bytes:
    """A large progressive picture of one colour with a scan that says nothing new, thousands of times."""
    jpeg = _saved(Image.new("RGB", (8_000, 8_000)), "JPEG", progressive=True)
    at = jpeg.rindex(b"\xff\xda")
    return jpeg[:at] + jpeg[at:-2] * 5_000 + jpeg[-2:]


def _others() -> list[Image.Image]:
    return [Image.new("RGB", (64, 48), (number % 256, number // 8, 0)) for number in range(_FRAMES)]


def _saved(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()
