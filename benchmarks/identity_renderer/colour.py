"""Colours as people see them: CIELAB (D65) to and from sRGB, palettes, and shifts by a wanted difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from identity_renderer.mesh import Colour

Lab = NDArray[np.float32]
"""(..., 3) float32: lightness 0 to 100, then green-red and blue-yellow, about -110 to 110."""

# IEC 61966-2-1 primaries, rows divided by the white point D65.
_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ = (
    np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    / _WHITE[:, None]
).astype(np.float32)
_FROM_XYZ = np.linalg.inv(_TO_XYZ).astype(np.float32)
_KNEE = 6 / 29


def to_lab(srgb: NDArray[np.floating]) -> Lab:
    """Convert sRGB (..., 3), 0 to 1, to CIELAB."""
    values = np.asarray(srgb, dtype=np.float32)
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > _KNEE**3, np.cbrt(xyz), xyz / (3 * _KNEE**2) + 4 / 29)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    return lab.astype(np.float32)


def from_lab(lab: NDArray[np.floating]) -> NDArray[np.float32]:
    """Convert CIELAB (..., 3) to sRGB, cut to 0 to 1 where sRGB has no such colour."""
    values = np.asarray(lab, dtype=np.float32)
    middle = (values[..., 0] + 16) / 116
    f = np.stack([middle + values[..., 1] / 500, middle, middle - values[..., 2] / 200], axis=-1)
    xyz = np.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29))
    linear = np.clip(xyz @ _FROM_XYZ.T, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.clip(srgb, 0, 1).astype(np.float32)


def as_colour(srgb: NDArray[np.floating]) -> Colour:
    """Return one sRGB row as a plain tuple."""
    red, green, blue = (round(float(value), 4) for value in srgb)
    return red, green, blue


def difference(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the mean CIE 1976 difference of two sRGB arrays of equal shape (..., 3)."""
    return float(np.linalg.norm(to_lab(one) - to_lab(other), axis=-1).mean())


def draw_colour(rng: np.random.Generator) -> Lab:
    """Draw one colour (3,) that sRGB has: any hue and lightness, three in ten nearly grey."""
    lightness = rng.uniform(12, 95)
    chroma = rng.uniform(0, 9) if rng.random() < 0.3 else rng.uniform(12, 100)
    hue = rng.uniform(0, 2 * np.pi)
    for _ in range(40):
        lab = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], dtype=np.float32)
        if np.abs(to_lab(from_lab(lab)) - lab).max() < 1:
            break
        chroma *= 0.9
    return to_lab(from_lab(lab))


def draw_palette(rng: np.random.Generator, count: int, apart: float = 18.0) -> Lab:
    """Draw colours (count, 3) that differ by at least `apart` from each other, where 60 tries find such."""
    chosen = [draw_colour(rng)]
    for _ in range(60):
        if len(chosen) == count:
            break
        colour = draw_colour(rng)
        if min(float(np.linalg.norm(colour - other)) for other in chosen) >= apart:
            chosen.append(colour)
    while len(chosen) < count:
        chosen.append(draw_colour(rng))
    return np.stack(chosen)


def draw_shift(rng: np.random.Generator, srgb: NDArray[np.floating], wanted: float) -> Lab:
    """Draw a CIELAB vector (3,) that changes colours by a wanted mean difference, cut colours included.

    Args:
        rng: Source of the direction; most lean to hue, some to lightness.
        srgb: (N, 3) colours that will be shifted.
        wanted: Mean difference to reach; where the colours' place in sRGB does not allow it, the nearest.

    Returns:
        The vector to add.
    """
    lab = to_lab(srgb)
    best, missed = np.zeros(3, dtype=np.float32), np.inf
    for _ in range(24):
        direction = rng.normal(size=3) * (rng.choice([0.3, 1.0, 2.5]), 1.0, 1.0)
        shift = (direction / np.linalg.norm(direction) * wanted).astype(np.float32)
        reached = float(np.linalg.norm(to_lab(from_lab(lab + shift)) - lab, axis=-1).mean())
        if abs(reached - wanted) < missed:
            best, missed = shift, abs(reached - wanted)
        if missed < 0.1 * wanted:
            break
    return best


def shift_texture(texture: NDArray[np.uint8], shift: Lab) -> NDArray[np.uint8]:
    """Add a CIELAB vector to every pixel of an (H, W, 3) texture."""
    shifted = from_lab(to_lab(texture.astype(np.float32) / 255) + shift)
    return np.asarray((shifted * 255).round(), dtype=np.uint8)
