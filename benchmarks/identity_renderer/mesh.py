"""What a thing is made of, whether an archive holds it or we drew it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
"""sRGB red, green and blue, each 0 to 1."""


@dataclass(frozen=True, eq=False)
class Part:
    """The faces of one material.

    Attributes:
        name: of the material.
        vertices: (V, 3) float32.
        faces: (F, 3) int32, vertex numbers, counter-clockwise from outside.
        normals: (V, 3) float32 unit rows.
        uv: (V, 2) float32 with v up, as OBJ files have it; None without a texture.
        colour: of the surface; multiplies the texture.
        texture: (H, W, 3) uint8 sRGB, row 0 at v = 1; None if plain.
        gloss: 0 matt to 1 mirror-like.
    """

    name: str
    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32] | None
    colour: Colour
    texture: NDArray[np.uint8] | None = None
    gloss: float = 0.2


@dataclass(frozen=True, eq=False)
class Mesh:
    """One thing: y up, standing on y = 0, centred on x = z = 0, its longest side 1, its front towards +z.

    Attributes:
        name: unique among all sources; what a dataset is split by.
        category: what kind of thing; siblings share it.
        collection: where it comes from.
        licence: SPDX identifier.
        creator: its author.
        parts: at least one.
    """

    name: str
    category: str
    collection: str
    licence: str
    creator: str
    parts: tuple[Part, ...]


def make_generator(*names: object) -> np.random.Generator:
    """Return the random generator that belongs to these names, the same in every run and on every machine."""
    digest = hashlib.sha256("\0".join(str(name) for name in names).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
