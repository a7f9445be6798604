"""Patterns that tile: each draws a field (S, S) from 0 to 1, which a texture then maps to its colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def _grid(size: int) -> tuple[Field, Field]:
    """Return coordinates 0 to 1 along rows and columns, (1, S) and (S, 1), so that sums broadcast."""
    line: Field = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return line[None, :], line[:, None]


def _level(field: NDArray[Any]) -> Field:
    """Stretch a field to 0 to 1, leaving out its outermost hundredth on both sides."""
    low, high = np.quantile(field[::4, ::4], [0.01, 0.99])
    return _cut((field - low) / max(float(high - low), 1e-6))


def _cut(field: NDArray[Any]) -> Field:
    return np.asarray(np.clip(field, 0, 1), dtype=np.float32)


def _noise(rng: np.random.Generator, size: int, slope: float = 1.6, stretch: float = 1.0, low: float = 1.0) -> Field:
    """Draw periodic noise: amplitudes fall as frequency to the power of `slope`, longer along y by `stretch`."""
    x = np.fft.rfftfreq(size, 1 / size)[None, :]
    y = np.fft.fftfreq(size, 1 / size)[:, None] * stretch
    frequency = np.sqrt(x**2 + y**2)
    amplitude = np.where(frequency >= low, np.maximum(frequency, 0.5) ** -slope, 0)
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    field = np.fft.irfft2(spectrum * amplitude, s=(size, size))
    return (field / max(float(field.std()), 1e-9)).astype(np.float32)


def _cells(rng: np.random.Generator, size: int, count: int) -> tuple[Field, Field, NDArray[np.int64]]:
    """Return distances to the nearest and second nearest of count x count jittered centres, and the nearest's number.

    Distances are in cells.
    """
    u, v = (axis * count for axis in _grid(size))
    u, v = np.broadcast_to(u, (size, size)), np.broadcast_to(v, (size, size))
    column, row = u.astype(np.int64), v.astype(np.int64)
    offsets = rng.uniform(0.1, 0.9, (count, count, 2)).astype(np.float32)
    nearest, second = np.full((size, size), 9, np.float32), np.full((size, size), 9, np.float32)
    owner = np.zeros((size, size), dtype=np.int64)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            inside = (row + down) % count, (column + right) % count
            centre = offsets[inside]
            distance = np.hypot(column + right + centre[..., 0] - u, row + down + centre[..., 1] - v)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            owner = np.where(closer, inside[0] * count + inside[1], owner)
            nearest = np.minimum(nearest, distance)
    return nearest, second, owner


def _wood(rng: np.random.Generator, size: int) -> Field:
    u, _ = _grid(size)
    warp = _noise(rng, size, 1.9, stretch=6.0) * rng.uniform(0.3, 1.1)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.integers(3, 9) * u + warp))
    return _level(rings ** rng.uniform(0.6, 2.5) + 0.18 * _noise(rng, size, 0.5, stretch=24.0))


def _brushed(rng: np.random.Generator, size: int) -> Field:
    return _cut(0.5 + 0.14 * _noise(rng, size, 0.4, stretch=60.0) + 0.1 * _noise(rng, size, 2.2))


def _marble(rng: np.random.Generator, size: int) -> Field:
    veins = np.abs(_noise(rng, size, 2.0) + 0.25 * _noise(rng, size, 1.4))
    return _cut(np.exp(-veins * rng.uniform(4, 14)) + 0.12 * _noise(rng, size, 2.0))


def _woven(rng: np.random.Generator, size: int) -> Field:
    u, v = _grid(size)
    threads = 2 * int(rng.integers(8, 24))
    over = (np.floor(u * threads) + np.floor(v * threads)) % 2
    along = np.where(over > 0, u, v) * threads % 1
    across = np.where(over > 0, v, u) * threads % 1
    tint = np.where(over > 0, 0.35, 0.65) * rng.uniform(0.4, 1.0)
    return _level(tint + 0.5 * np.sin(np.pi * across) * np.sin(np.pi * along) + 0.05 * _noise(rng, size, 0.3))


def _knitted(rng: np.random.Generator, size: int) -> Field:
    u, v = _grid(size)
    columns = int(rng.integers(8, 18))
    slant = np.abs(u * columns % 1 - 0.5)
    stitches = (v * columns * 1 + slant * 1.2) % 1
    rows = np.floor(v * columns + slant * 1.2) % columns
    bands = (rng.random(columns) < 0.4).astype(np.float32)[rows.astype(np.int64)]
    return _cut(0.55 * bands + 0.4 * np.sin(np.pi * stitches) * (0.5 + slant))


def _stripes(rng: np.random.Generator, size: int) -> Field:
    u, v = _grid(size)
    across, along = ((1, 0), (0, 1), (1, 1), (1, -1))[rng.integers(4)]
    repeats = int(rng.integers(1, 7))
    edges = np.sort(rng.uniform(0.08, 0.92, rng.integers(1, 5)))
    levels = rng.permutation(np.linspace(0, 1, len(edges) + 1))
    position = (across * u + along * v) * repeats % 1
    return _cut(np.broadcast_to(levels[np.searchsorted(edges, position)], (size, size)))


def _checks(rng: np.random.Generator, size: int) -> Field:
    u, v = _grid(size)
    repeats = int(rng.integers(1, 7))
    edges = np.sort(rng.uniform(0.1, 0.9, rng.integers(1, 6)))
    levels = rng.random(len(edges) + 1)
    levels[rng.integers(len(levels))], levels[-1] = 0, 1
    down, right = (levels[np.searchsorted(edges, axis * repeats % 1)] for axis in (u, v))
    return _level(((down + right) / 2).astype(np.float32) if rng.random() < 0.7 else np.abs(down - right))


def _dots(rng: np.random.Generator, size: int) -> Field:
    u, v = _grid(size)
    count = 2 * int(rng.integers(1, 7))
    row = np.floor(v * count)
    shifted = u * count + 0.5 * (row % 2 if rng.random() < 0.5 else 0)
    distance = np.hypot(shifted % 1 - 0.5, v * count % 1 - 0.5)
    tints = rng.choice([0.5, 1.0], (count, count))
    dot = tints[row.astype(np.int64) % count, np.floor(shifted).astype(np.int64) % count]
    radius = rng.uniform(0.18, 0.42)
    return _cut(np.clip((radius - distance) * size / count / 2, 0, 1) * dot)


def _terrazzo(rng: np.random.Generator, size: int) -> Field:
    nearest, second, owner = _cells(rng, size, int(rng.integers(7, 16)))
    tints = rng.choice([0.0, 0.0, 0.35, 0.7, 1.0], owner.max() + 1).astype(np.float32)
    return _cut(np.where(second - nearest > rng.uniform(0.1, 0.3), tints[owner], 0))


def _leather(rng: np.random.Generator, size: int) -> Field:
    nearest, second, _ = _cells(rng, size, int(rng.integers(12, 26)))
    return _cut(1.6 * (second - nearest) + 0.25 + 0.1 * _noise(rng, size, 2.0))


def _stone(rng: np.random.Generator, size: int) -> Field:
    return _level(_noise(rng, size, rng.uniform(0.5, 1.7)))


def _camouflage(rng: np.random.Generator, size: int) -> Field:
    field = _level(_noise(rng, size, 2.2, low=3))
    return _cut(np.floor(field * 3.99) / 3)


def _gradient(rng: np.random.Generator, size: int) -> Field:
    _, v = _grid(size)
    ramp = np.abs((v * int(rng.integers(1, 4)) + rng.random()) % 1 * 2 - 1)
    return _cut(ramp + 0.03 * _noise(rng, size, 1.0))


def _ornament(rng: np.random.Generator, size: int) -> Field:
    u, v = (
        np.cos(2 * np.pi * axis * repeat)
        for axis, repeat in zip(_grid(size), [int(rng.integers(1, 6))] * 2, strict=True)
    )
    a, b, c = rng.uniform(-1.5, 1.5, 3)
    field = _level(np.asarray(u + v + a * u * v + b * (2 * u**2 - 1) * (2 * v**2 - 1) + c * (u**2 + v**2)))
    return _cut(np.floor(field * 2.99) / 2)


def _floral(rng: np.random.Generator, size: int) -> Field:
    u, v = _grid(size)
    count = int(rng.integers(2, 7))
    cell = np.floor(v * count).astype(np.int64), np.floor(u * count).astype(np.int64)
    jitter = rng.uniform(0.38, 0.62, (2, count, count))
    right, down = u * count % 1 - jitter[0][cell], v * count % 1 - jitter[1][cell]
    angle, radius = np.arctan2(down, right), np.hypot(right, down)
    turn = rng.uniform(0, 2 * np.pi, (count, count))[cell]
    reach = 0.26 + 0.1 * np.cos(int(rng.integers(4, 9)) * angle + turn)
    return _cut(np.where(radius < 0.09, 1.0, np.where(radius < reach, 0.6, 0.0)))


def _print(rng: np.random.Generator, size: int) -> Field:
    """Lines of glyphs that nobody can read, with bars between some."""
    rows, columns = int(rng.integers(5, 12)), int(rng.integers(8, 20))
    glyphs = np.zeros((24, 9, 7), dtype=np.float32)
    glyphs[:, 1:8, 1:6] = rng.random((24, 7, 5)) < 0.55
    glyphs[0] = 0
    text = rng.integers(1, 24, (rows, columns)) * (rng.random((rows, columns)) > 0.2)
    page = glyphs[text].transpose(0, 2, 1, 3).reshape(rows * 9, columns * 7)
    for row in np.flatnonzero(rng.random(rows) < 0.25):
        page[row * 9 : row * 9 + 9] = 0.5
    line = np.arange(size)
    return _cut(page[(line * page.shape[0] // size)[:, None], (line * page.shape[1] // size)[None, :]])


PATTERNS: dict[str, Callable[[np.random.Generator, int], Field]] = {
    "wood": _wood,
    "brushed": _brushed,
    "marble": _marble,
    "woven": _woven,
    "knitted": _knitted,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "terrazzo": _terrazzo,
    "leather": _leather,
    "stone": _stone,
    "camouflage": _camouflage,
    "gradient": _gradient,
    "ornament": _ornament,
    "floral": _floral,
    "print": _print,
}
"""Every pattern by name."""
