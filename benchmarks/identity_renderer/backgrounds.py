"""What stands behind and under a thing: photographs, table tops, floors, walls and shelves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from identity_renderer import album
from identity_renderer.framing import Frame, Matrix
from identity_renderer.mesh import make_generator
from identity_renderer.surfaces import SIDE, Picture, draw_surface, pick_colour

KINDS = ("photograph", "table", "floor", "shelf")


@dataclass(frozen=True)
class Backdrop:
    """A background, wholly described.

    Attributes:
        kind: ``photograph`` alone; ``table``, whose far edge ends before a photograph; ``floor`` before a wall;
            ``shelf``, a board before a wall of goods.
        photograph: name in the album.
        seed: of every other choice.
    """

    kind: str
    photograph: str
    seed: str


@dataclass(frozen=True, eq=False)
class Scenery:
    """A painted background.

    Attributes:
        picture: (S, S, 3) float32, sRGB 0 to 255.
        ground: (S, S) float32, 1 where shadows can fall.
    """

    picture: Picture
    ground: NDArray[np.float32]


def paint(backdrop: Backdrop, frame: Frame) -> Scenery:
    """Paint a background as a camera sees it; the ground lies where the camera's ground is."""
    rng = make_generator(backdrop.seed, "backdrop")
    far = _relit(_crop(album.load(backdrop.photograph), rng, frame.size), rng)
    if backdrop.kind == "photograph":
        return Scenery(_blur(far, max(rng.uniform(-2.5, 2.5), 0.0)), np.ones((frame.size,) * 2, np.float32))
    edge = -rng.uniform(1.4, 3.2)
    rays, eye = frame.rays(), frame.position
    ground, depth = _ground(rays, eye, edge)
    behind = _blur(far, rng.uniform(1.0, 6.0))
    if backdrop.kind != "table":
        behind = _wall(backdrop, frame, edge, rng)
    x, z = eye[0] + rays[:, :, 0] * depth, eye[2] + rays[:, :, 2] * depth
    top = draw_surface(rng) if rng.random() < 0.85 else _print(far)
    near = _sample(top, (x, z), depth / frame.focal, rng.uniform(1.2, 4.0), rng.uniform(0, np.pi))
    # Away from the middle of the scene less light arrives; a far wall shades the ground before it.
    near *= (1.05 - rng.uniform(0.05, 0.2) * np.clip(np.hypot(x, z), 0, 4))[:, :, None]
    if backdrop.kind != "table":
        near *= (1 - 0.35 * np.exp(-np.abs(z - edge) * 6))[:, :, None]
    soft = _soften(ground, 1.0)
    picture = behind + (near - behind) * soft[:, :, None]
    return Scenery(np.clip(picture, 0, 255).astype(np.float32), soft)


def _ground(rays: Matrix, eye: Matrix, edge: float) -> tuple[NDArray[np.float32], Matrix]:
    """Return where the ground is seen, and how far along each ray."""
    down = np.minimum(rays[:, :, 1], -1e-4)
    depth = -eye[1] / down
    seen = (rays[:, :, 1] < -1e-4) & (eye[2] + rays[:, :, 2] * depth > edge)
    return seen.astype(np.float32), np.minimum(depth, 40.0)


def _wall(backdrop: Backdrop, frame: Frame, edge: float, rng: np.random.Generator) -> Picture:
    rays, eye = frame.rays(), frame.position
    depth = np.clip((edge - eye[2]) / np.minimum(rays[:, :, 2], -1e-3), 0, 40)
    x, y = eye[0] + rays[:, :, 0] * depth, eye[1] + rays[:, :, 1] * depth
    texture = _goods(backdrop, rng) if backdrop.kind == "shelf" else draw_surface(rng)
    wall = _sample(texture, (x, -y), depth / frame.focal, rng.uniform(1.5, 4.0), 0.0)
    slope = 1 + rng.uniform(-0.25, 0.25) * np.tanh(x) + rng.uniform(-0.1, 0.25) * np.tanh(y - 0.5)
    wall *= slope[:, :, None]
    return _blur(np.clip(wall, 0, 255).astype(np.float32), rng.uniform(0.3, 3.0))


def _goods(backdrop: Backdrop, rng: np.random.Generator) -> Picture:
    """Draw shelves full of upright goods: strips of colour and of photographs, with boards between."""
    picture = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    picture[:] = pick_colour(rng) * 0.35
    photograph = album.load(backdrop.photograph)
    rows = int(rng.integers(2, 5))
    height = SIDE // rows
    for row in range(rows):
        floor, x = (row + 1) * height, int(rng.integers(0, 6))
        while x < SIDE - 8:
            width, tall = int(rng.integers(8, 34)), int(rng.uniform(0.45, 0.92) * height)
            cell = picture[floor - tall : floor, x : x + width]
            cell[:] = pick_colour(rng, 0.95)
            if rng.random() < 0.4:
                cut = Image.fromarray(_crop(photograph, rng, 48)).resize((cell.shape[1], tall))
                cell[:] = 0.4 * cell + 0.6 * np.asarray(cut, dtype=np.float32)
            cell[:, -2:] *= 0.6
            x += width + int(rng.integers(0, 4))
        picture[floor - 4 : floor] = pick_colour(rng, 0.3)
    return np.clip(picture, 0, 255)


def _print(photograph: Picture) -> Picture:
    reduced = Image.fromarray(photograph.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(reduced, dtype=np.float32)


def _sample(
    texture: Picture, where: tuple[Matrix, Matrix], step: Matrix, width: float, turn: float
) -> NDArray[np.float32]:
    """Lay a texture on a plane, mirrored at its edges, and softer where a pixel covers more of it.

    Args:
        texture: (SIDE, SIDE, 3).
        where: two coordinates (S, S) on the plane.
        step: (S, S), length that a pixel covers.
        width: of the texture on the plane.
        turn: radians.
    """
    across = (where[0] * np.cos(turn) - where[1] * np.sin(turn)) * (SIDE / width)
    down = (where[0] * np.sin(turn) + where[1] * np.cos(turn)) * (SIDE / width)
    level = np.clip(np.log2(np.maximum(step * SIDE / width, 1e-3)), 0, 5)
    result = np.zeros((*across.shape, 3), dtype=np.float32)
    for number, blur in enumerate((0, 2, 4)):
        weight = np.clip(1 - np.abs(level / 2 - number), 0, 1) if number < 2 else np.clip(level / 2 - 1, 0, 1)
        seen = weight > 0
        if seen.any():
            softened = _blur(texture, float(blur))
            result[seen] += weight[seen, None] * _bilinear(softened, across[seen], down[seen])
    return result


def _bilinear(texture: Picture, x: Matrix, y: Matrix) -> NDArray[np.float32]:
    last = SIDE - 1
    x, y = np.abs((x + last) % (2 * last) - last), np.abs((y + last) % (2 * last) - last)
    left, top = np.minimum(x.astype(np.int64), last - 1), np.minimum(y.astype(np.int64), last - 1)
    right = (x - left).astype(np.float32)[:, None]
    low = (y - top).astype(np.float32)[:, None]
    flat, at = texture.reshape(-1, 3), top * SIDE + left
    upper = flat[at] * (1 - right) + flat[at + 1] * right
    lower = flat[at + SIDE] * (1 - right) + flat[at + SIDE + 1] * right
    mixed: NDArray[np.float32] = upper * (1 - low) + lower * low
    return mixed


def _crop(photograph: NDArray[np.uint8], rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Cut a random square, mirrored half of the time."""
    height, width = photograph.shape[:2]
    side = min(height, width) * rng.uniform(0.4, 1.0)
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    image = Image.fromarray(photograph).resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    cut = np.asarray(image)
    return cut[:, ::-1] if rng.random() < 0.5 else cut


def _relit(photograph: NDArray[np.uint8], rng: np.random.Generator) -> Picture:
    """Change brightness, contrast and white balance, through one table a channel."""
    steps = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    gains = rng.uniform(0.7, 1.15) * (1 + rng.uniform(-0.08, 0.08, 3))
    table = 255 * np.clip(gains * steps ** rng.uniform(0.75, 1.4), 0, 1)
    channels = [table[photograph[:, :, channel], channel] for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _blur(picture: Picture, radius: float) -> Picture:
    if radius < 0.2:
        return picture
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)


def _soften(mask: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    image = Image.fromarray((mask * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / np.float32(255)
