"""Procedural surfaces: table tops, floors and walls, drawn with noise."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.float32]
"""(H, W, 3) float32, sRGB 0 to 255."""

SIDE = 256
"""Pixels of a surface's side."""


def draw_surface(rng: np.random.Generator) -> Picture:
    """Draw one surface (SIDE, SIDE, 3) of a random kind and colour."""
    drawn = _KINDS[int(rng.integers(len(_KINDS)))](rng)
    grain = rng.normal(0.0, rng.uniform(1, 5), (SIDE, SIDE, 1))
    mottled = 1 + rng.uniform(0.02, 0.12) * (noise(rng, 5, 5) - 0.5)[:, :, None]
    return np.clip(drawn * mottled + grain, 0, 255).astype(np.float32)


def noise(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    """Return smooth noise (SIDE, SIDE) of about 0 to 1 with so many bumps down and across."""
    bumps = Image.fromarray(rng.random((rows, columns), dtype=np.float32))
    return np.asarray(bumps.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def pick_colour(rng: np.random.Generator, saturation: float = 0.5) -> NDArray[np.float32]:
    """Return an sRGB colour (3,) of 0 to 255 as rooms and streets have them: mostly dull, light or dark."""
    hue = rng.choice([rng.uniform(0.02, 0.14), rng.uniform(0, 1)])
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation * rng.random() ** 1.5, rng.uniform(0.18, 0.97))
    return np.array([red, green, blue], dtype=np.float32) * 255


def _plain(rng: np.random.Generator) -> Picture:
    return np.broadcast_to(pick_colour(rng), (SIDE, SIDE, 3)).astype(np.float32)


def _wood(rng: np.random.Generator) -> Picture:
    light = np.array([rng.uniform(120, 225), 0, 0], dtype=np.float32)
    light[1], light[2] = light[0] * rng.uniform(0.68, 0.86), light[0] * rng.uniform(0.42, 0.68)
    streaks = 0.6 * noise(rng, int(rng.integers(40, 90)), 3) + 0.4 * noise(rng, 120, 6)
    planks = int(rng.integers(1, 7))
    rows = np.arange(SIDE) * planks // SIDE
    shade = rng.uniform(0.85, 1.1, planks)[rows][:, None]
    gaps = np.where(np.diff(rows, prepend=rows[0]) != 0, 0.55, 1.0)[:, None]
    level = (1 - 0.35 * streaks) * shade * gaps
    return (light * level[:, :, None]).astype(np.float32)


def _tiles(rng: np.random.Generator) -> Picture:
    count = int(rng.integers(2, 9))
    cells = np.arange(SIDE) * count // SIDE
    edge = np.diff(cells, prepend=-1) != 0
    first, second = pick_colour(rng), pick_colour(rng)
    if rng.random() < 0.6:
        second = first * rng.uniform(0.9, 1.05)
    chequered = ((cells[:, None] + cells[None, :]) % 2)[:, :, None]
    tiles = np.where(chequered == 0, first, second) * (1 + rng.normal(0, 0.03, (count, count)))[cells][:, cells, None]
    lines = (edge[:, None] | edge[None, :])[:, :, None]
    return np.where(lines, tiles * rng.uniform(0.55, 1.2), tiles).astype(np.float32)


def _cloth(rng: np.random.Generator) -> Picture:
    base, stripe = pick_colour(rng, 0.8), pick_colour(rng, 0.8)
    steps = np.arange(SIDE)
    weave = 1 + 0.05 * np.sin(steps * 2.2)[:, None] * np.sin(steps * 2.2)[None, :]
    period = int(rng.integers(12, 64))
    across = (steps % period) < period * rng.uniform(0.1, 0.6)
    kind = int(rng.integers(3))
    share = (np.zeros((SIDE, SIDE)), np.tile(across, (SIDE, 1)), (across[:, None] * 0.5 + across[None, :] * 0.5))[kind]
    cloth: Picture = ((base + (stripe - base) * share[:, :, None]) * weave[:, :, None]).astype(np.float32)
    return cloth


def _stone(rng: np.random.Generator) -> Picture:
    base, vein = pick_colour(rng, 0.25), pick_colour(rng, 0.25)
    speckle = noise(rng, 90, 90) > rng.uniform(0.55, 0.85)
    cloud = noise(rng, 9, 9) * rng.uniform(0.2, 0.9) + 0.4 * speckle
    stone: Picture = (base + (vein - base) * np.clip(cloud, 0, 1)[:, :, None]).astype(np.float32)
    return stone


def _bricks(rng: np.random.Generator) -> Picture:
    rows, columns = int(rng.integers(6, 14)), int(rng.integers(3, 7))
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    row = (y * rows).astype(int)
    along = (x * columns + 0.5 * (row % 2)) % columns
    shades = 1 + rng.normal(0, 0.1, (rows, columns))
    level = shades[row, along.astype(int)]
    mortar = ((y * rows) % 1 < 0.1) | (along % 1 < 0.05)
    brick = pick_colour(rng, 0.7)
    return np.where(mortar[:, :, None], 0.4 * brick + 110, brick * level[:, :, None]).astype(np.float32)


_KINDS: tuple[Callable[[np.random.Generator], Picture], ...] = (_plain, _wood, _wood, _tiles, _cloth, _stone, _bricks)
