"""Procedural textures that tile: a pattern in two to four colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from identity_renderer.colour import Lab, draw_palette, from_lab, to_lab
from identity_renderer.mesh import Colour
from identity_renderer.patterns import PATTERNS, Field

SIZE = 256
# Real wood, metal and leather come in shades of one colour; other patterns in colours that differ.
_SHADED = frozenset({"wood", "brushed", "leather", "marble", "stone", "woven"})


def draw_texture(rng: np.random.Generator, pattern: str | None = None) -> NDArray[np.uint8]:
    """Draw a texture in colours of its own.

    Args:
        rng: Source of everything.
        pattern: A name of `PATTERNS`; drawn if None.

    Returns:
        (256, 256, 3) sRGB that continues over its edges.
    """
    name = pattern or str(rng.choice(list(PATTERNS)))
    if name in _SHADED and rng.random() < 0.8:
        colours = _shades(rng, draw_palette(rng, 1)[0], 2, rng.uniform(14, 38))
    else:
        colours = draw_palette(rng, int(rng.integers(2, 5)), apart=25)
    return _paint(PATTERNS[name](rng, SIZE), colours)


def draw_texture_around(
    rng: np.random.Generator, mean: Colour, contrast: float, pattern: str | None = None
) -> NDArray[np.uint8]:
    """Draw a texture whose mean is a given colour, so that only its pattern tells it from a plain surface.

    Args:
        rng: Source of everything else.
        mean: sRGB colour to keep, as nearly as its place in sRGB allows.
        contrast: CIELAB distance between its extreme colours.
        pattern: A name of `PATTERNS`; drawn if None.

    Returns:
        (256, 256, 3) sRGB that continues over its edges.
    """
    field = PATTERNS[pattern or str(rng.choice(list(PATTERNS)))](rng, SIZE)
    middle = to_lab(np.array(mean))
    texture = _paint(field, _shades(rng, middle, int(rng.integers(2, 4)), contrast))
    # Patterns do not weigh their colours equally.
    off = middle - to_lab(texture[::4, ::4].astype(np.float32) / 255).mean(axis=(0, 1))
    return np.asarray((from_lab(to_lab(texture.astype(np.float32) / 255) + off) * 255).round(), dtype=np.uint8)


def _shades(rng: np.random.Generator, middle: Lab, count: int, contrast: float) -> Lab:
    """Return colours (count, 3) in a row through `middle`, mostly along lightness, inside of what sRGB has."""
    direction = rng.normal(size=3) * (2.0, 0.8, 0.8)
    direction /= np.linalg.norm(direction)
    steps = np.linspace(-0.5, 0.5, count)[:, None] * contrast * direction
    room = np.clip(middle[0] + steps[:, 0], 6, 97) - middle[0] - steps[:, 0]
    # Near black or white the whole row moves, so that its contrast stays.
    steps[:, 0] += room[np.abs(room).argmax()]
    return (middle + steps).astype(np.float32)


def _paint(field: Field, colours: Lab) -> NDArray[np.uint8]:
    """Map a field through a row of colours, with 256 steps between the first and the last."""
    stops = np.linspace(0, 1, len(colours))
    ramp = np.stack([np.interp(np.linspace(0, 1, 256), stops, colours[:, axis]) for axis in range(3)], axis=1)
    table = np.asarray((from_lab(ramp) * 255).round(), dtype=np.uint8)
    return table[np.clip(field * 255, 0, 255).astype(np.uint8)]
