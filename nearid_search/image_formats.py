"""What the first bytes of a file say it is, and whether it ends too early.

The content decides, never the suffix: a PNG named ``.jpg`` is a PNG. Only the formats listed here are ever handed to a
decoder, so a file cannot reach Ghostscript (EPS) or the rarely tested parsers that Pillow also carries.
"""

import re
import struct

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    {
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".jfif",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".png",
        ".tif",
        ".tiff",
        ".webp",
    }
)
"""Suffixes, lower case with the dot, by which a folder walk recognises a picture."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_UNSUPPORTED = (
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"icns", "ICNS"),
    (b"SIMPLE  =", "FITS"),
    (b"DDS ", "DDS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"<svg", "SVG"),
    (b"PK\x03\x04", "ZIP"),
    (b"RIFF", "RIFF (a film or sound)"),
)
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
# How many bytes one value of each TIFF field type takes; the index is the type's number.
_TIFF_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
# Cameras and editors append a few bytes after the end marker; a marker within this many bytes of the end counts.
_TAIL_BYTES = 64


def sniff_format(data: bytes) -> str | None:
    """Name the format that the first bytes announce.

    Args:
        data: the whole file, or at least its first 64 bytes.

    Returns:
        ``"JPEG"``, ``"PNG"``, ``"GIF"``, ``"BMP"``, ``"TIFF"``, ``"WEBP"``, ``"AVIF"`` or ``"HEIF"``; None for anything
        else.

    Example:
        >>> sniff_format(b"GIF89a" + bytes(20))
        'GIF'
    """
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        # The generic brands mif1 and msf1 hold either codec: the compatible brands after them tell which.
        end = min(int.from_bytes(data[:4], "big"), 64)
        brands = {data[8:12], *(data[start : start + 4] for start in range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    return None


def count_scans(data: bytes, start: int, *, most: int) -> int:
    """Count the scans of a progressive JPEG; a decoder works through the whole picture once for each.

    Args:
        data: the whole file.
        start: where the compressed data of its first scan begin.
        most: where to stop counting.

    Returns:
        Scans up to the end marker, the end of the file or the first thing that is no segment, at least 1.
    """
    scans, at = 1, start
    while scans < most:
        # Within compressed data 0xFF is followed by 0 or by a restart marker.
        found = _JPEG_MARKER.search(data, at)
        if found is None or found[0] == b"\xff\xd9":
            break
        scans += found[0] == b"\xff\xda"
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
    return scans


def describe_unknown(data: bytes) -> str:
    """Say why bytes that no decoder here accepts are refused.

    Args:
        data: the file, not empty, for which ``sniff_format`` returned None.

    Returns:
        ``"unsupported format X"`` for a known one, otherwise ``"not an image: starts with ..."``.

    Example:
        >>> describe_unknown(b"<!DOCTYPE html><title>404</title>")
        "not an image: starts with b'<!DOCTYPE html><title>40'"
    """
    for signature, name in _UNSUPPORTED:
        if data.startswith(signature):
            return f"unsupported format {name}"
    if data[4:8] == b"ftyp":
        return f"unsupported format ISO media {data[8:12]!r}"
    return f"not an image: starts with {data[:24]!r}"


def ends_early(data: bytes, format_name: str) -> bool:
    """Tell whether a file that failed to decode stops before its own end.

    Only names the reason of a failure that a decoder reported: a file that decodes is never judged by this.

    Args:
        data: the whole file.
        format_name: what ``sniff_format`` returned for it.

    Returns:
        True if an end marker is missing or a length in the file points past its end.
    """
    if format_name in ("HEIF", "AVIF"):
        return _boxes_end(data) > len(data)
    if format_name == "TIFF":
        return _first_directory_end(data) > len(data)
    if format_name == "WEBP":
        return 8 + int.from_bytes(data[4:8], "little") > len(data)
    if format_name == "BMP":
        return max(26, int.from_bytes(data[2:6], "little")) > len(data)
    marker = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b";"}[format_name]
    return marker not in data[-_TAIL_BYTES:]


def _boxes_end(data: bytes) -> int:
    """Where the last top-level box of an ISO media file should end."""
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:  # 0 means "to the end of the file"; anything else this small is damage, not a missing end
            return len(data) if len(data) - position >= 8 else len(data) + 1
        position += size
    return position


def _first_directory_end(data: bytes) -> int:
    """How far the first directory of a TIFF and the values it points to reach (BigTIFF is taken as whole)."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8:
        return 8
    version, start = struct.unpack_from(order + "HL", data, 2)
    if version != 42:
        return len(data)
    if start + 2 > len(data):
        return int(start) + 2
    (entries,) = struct.unpack_from(order + "H", data, start)
    end = int(start) + 2 + 12 * int(entries) + 4
    if end > len(data):
        return end
    for entry in range(entries):
        _, kind, count, offset = struct.unpack_from(order + "HHLL", data, start + 2 + 12 * entry)
        value_bytes = count * _TIFF_TYPE_BYTES[kind] if kind < len(_TIFF_TYPE_BYTES) else 0
        if value_bytes > 4:
            end = max(end, offset + value_bytes)
    return end
