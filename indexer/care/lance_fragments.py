"""What parts a version of one of Lance's tables has: read from its manifest, so that damage costs one part and not all.

A manifest ends with the place of a Protocol Buffers message, whose field 2 lists the fragments; of each, field 1 is
its number and field 2 its data files, whose field 1 is their names. The number is the upper half of a row's identifier.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_FOOTER = struct.Struct("<QHH4s")
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def fragment_files(manifest: bytes) -> dict[int, list[str]]:
    """Return the names of the data files of every fragment, by its number.

    Args:
        manifest: content of Lance's file about a version.

    Raises:
        ValueError: if it is none.
    """
    try:
        place, _, _, magic = _FOOTER.unpack(manifest[-_FOOTER.size :])
        (length,) = struct.unpack_from("<I", manifest, place)
        if magic != b"LANC":
            raise ValueError("is no manifest of Lance's")
        return dict(_fragments(manifest[place + 4 : place + 4 + length]))
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError("is no manifest of Lance's") from error


def _fragments(message: bytes) -> Iterator[tuple[int, list[str]]]:
    for number, content in _fields(message):
        if number == 2 and isinstance(content, bytes):
            parts = list(_fields(content))
            files = [file for field, file in parts if field == 2 and isinstance(file, bytes)]
            names = [name for file in files for field, name in _fields(file) if field == 1 and isinstance(name, bytes)]
            numbers = [value for field, value in parts if field == 1 and isinstance(value, int)]
            yield (numbers[0] if numbers else 0), [name.decode() for name in names]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        value: int | bytes
        if kind == _VARINT:
            value, place = _varint(message, place)
        else:
            if kind == _LENGTH:
                size, place = _varint(message, place)
            elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
                size = 8 if kind == _EIGHT_BYTES else 4
            else:
                raise ValueError("is no manifest of Lance's")
            value, place = message[place : place + size], place + size
        yield key >> 3, value


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
