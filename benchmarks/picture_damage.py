"""Damage pictures on purpose: the same seed gives the same files.

Each mutation takes the bytes of a sound picture and a generator and returns other bytes. Whether what comes out is
still a picture is not known here; that is the question put to the decoder.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

MAX_GROWTH = 2**20
"""Bytes that a damaged picture may be longer than the sound one."""

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


class Damaged(NamedTuple):
    """A damaged picture.

    Attributes:
        variant: of the sound one, such as "PNG".
        damage: what was done to it.
        suffix: that its file is given; now and then another format's.
        data: its bytes.
    """

    variant: str
    damage: str
    suffix: str
    data: bytes


def truncate(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(1, len(data))]


def flip_bits(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Flip some bits anywhere."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 20, 200))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def break_header(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Overwrite bytes of the first hundred, behind the signature."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8))):
        changed[12 + rng.randrange(min(100, len(changed) - 12))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(changed)


def lie_about_numbers(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Put a telling number where sizes and offsets stand: nothing, the largest, one that is negative if signed."""
    width = rng.choice((2, 4))
    number = rng.choice((0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1, 65_500, 30_000))
    number &= 2 ** (8 * width) - 1
    at = 8 + rng.randrange(min(200, len(data) - 8 - width))
    order: Literal["big", "little"] = "big" if rng.random() < 0.5 else "little"
    return data[:at] + int(number).to_bytes(width, order) + data[at + width :]


def move_pieces(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Drop, double or swap pieces between places that look like the start of a chunk, segment or box."""
    # Chunk names of PNG, RIFF and ISO media are four letters behind a length; JPEG's segments begin with 0xFF.
    marks = [max(0, found.start() - 4) for found in re.finditer(rb"[A-Za-z]{4}", data)]
    marks += [found.start() for found in re.finditer(rb"\xff[\xc0-\xfe]", data)]
    places = sorted({0, len(data), *marks, *(rng.randrange(len(data)) for _ in range(2))})
    pieces = [data[start:stop] for start, stop in pairwise(places)]
    for _ in range(rng.choice((1, 2, 4))):
        one, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        match rng.randrange(3):
            case 0:
                pieces[one], pieces[other] = pieces[other], pieces[one]
            case 1:
                pieces.insert(one, pieces[other])
            case _:
                pieces[one] = b""
    return b"".join(pieces) or data[:1]


def splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Go on as another picture, perhaps of another format, from somewhere in the middle."""
    other = rng.choice(others)
    return data[: rng.randrange(1, len(data))] + other[rng.randrange(len(other)) :]


def append(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Put something behind the end."""
    tail = rng.choice((bytes(1000), rng.randbytes(5000), b"<script>alert(1)</script>", rng.choice(others)))
    return data + tail


def zero_range(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Leave a hole, as a lost sector does."""
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice((16, 512, 4096)))
    return data[:start] + bytes(stop - start) + data[stop:]


def repeat_range(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Repeat a stretch many times."""
    start = rng.randrange(len(data))
    stretch = data[start : start + rng.choice((4, 64, 1024))]
    return data[:start] + stretch * min(rng.choice((10, 1000)), MAX_GROWTH // len(stretch)) + data[start:]


def mend_png(data: bytes) -> bytes:
    """Make the checksums of a PNG's chunks right, so that damage gets past them; other formats are as they were."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    changed, at = bytearray(data), 8
    while at + 12 <= len(changed):
        end = at + 8 + int.from_bytes(changed[at : at + 4], "big")
        if end + 4 > len(changed):
            break
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


MUTATIONS: tuple[Mutation, ...] = (
    truncate,
    flip_bits,
    break_header,
    lie_about_numbers,
    move_pieces,
    splice,
    append,
    zero_range,
    repeat_range,
)


def damaged_pictures(sound: dict[str, bytes], *, count: int, seed: int) -> Iterator[Damaged]:
    """Yield damaged pictures, the variants in turn.

    Args:
        sound: a picture of each variant.
        count: how many.
        seed: of all chance here.
    """
    rng = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    variants, others = list(sound), list(sound.values())
    suffixes = {name: f".{name.split('-')[0].lower()}" for name in variants} | {"MPO": ".jpg", "JPEG": ".jpg"}
    for number in range(count):
        variant = variants[number % len(variants)]
        chosen = [rng.choice(MUTATIONS) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        data = sound[variant]
        for mutation in chosen:
            data = mutation(data, rng, others)
            data = data if len(data) > 16 else data + bytes(17)
        if rng.random() < 0.5:
            data = mend_png(data)
        suffix = suffixes[variant] if rng.random() < 0.9 else suffixes[rng.choice(variants)]
        yield Damaged(variant, "+".join(mutation.__name__ for mutation in chosen), suffix, data)
