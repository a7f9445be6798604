"""Surfaces with normals and texture coordinates: lofted rings, flat ends and sheets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles with a normal and a texture coordinate at every vertex.

    Attributes:
        vertices: (V, 3) float64.
        normals: (V, 3) float64 unit rows.
        uv: (V, 2) float64, 0 to 1, v up.
        faces: (F, 3) int32, counter-clockwise from outside.
    """

    vertices: Floats
    normals: Floats
    uv: Floats
    faces: NDArray[np.int32]


@dataclass(frozen=True)
class Section:
    """A level cut through a solid: a rectangle whose corners are quarter ellipses.

    Attributes:
        y: height.
        x, z: half widths.
        corner_x, corner_z: half axes of the corners; equal to the half widths they make an ellipse.
    """

    y: float
    x: float
    z: float
    corner_x: float
    corner_z: float


def round_section(y: float, x: float, z: float | None = None) -> Section:
    """Return a circle, or an ellipse if `z` is given."""
    depth = x if z is None else z
    return Section(y, x, depth, x, depth)


def box_section(y: float, x: float, z: float, corner: float) -> Section:
    """Return a rectangle with rounded corners, the radius cut down to what fits."""
    radius = min(corner, x, z)
    return Section(y, x, z, radius, radius)


def _ring(section: Section, steps: int) -> tuple[Floats, Floats, Floats]:
    """Return points (N, 3), unit normals (N, 3) and u (N,) from the middle of the back over -x, front and +x."""
    radius_x, radius_z = max(section.corner_x, 1e-4), max(section.corner_z, 1e-4)
    corners = np.repeat(np.arange(4), steps + 1)
    angle = (corners + np.tile(np.linspace(0, 1, steps + 1), 4)) * (np.pi / 2)
    middle = (corners + 0.5) * (np.pi / 2)
    x = -np.sign(np.sin(middle)) * max(section.x - radius_x, 0) - radius_x * np.sin(angle)
    z = -np.sign(np.cos(middle)) * max(section.z - radius_z, 0) - radius_z * np.cos(angle)
    points = np.stack([x, np.full_like(x, section.y), z], axis=1)
    normals = np.stack([-np.sin(angle) * radius_z, np.zeros_like(x), -np.cos(angle) * radius_x], axis=1)
    seam, back = np.array([[0, section.y, -max(section.z, 1e-4)]]), np.array([[0, 0, -1.0]])
    points = np.concatenate([seam, points, seam])
    normals = np.concatenate([back, normals, back])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return points, normals, lengths / lengths[-1]


def loft(sections: list[Section], steps: int = 10) -> Surface:
    """Return the smooth surface through sections from bottom to top; v is the way along the profile.

    Two lofts that share a section meet in a crease. `steps` is the number of edges of a corner.
    """
    rings = [_ring(section, steps) for section in sections]
    points = np.stack([ring[0] for ring in rings])
    around = np.stack([ring[1] for ring in rings])
    along = np.gradient(points, axis=0)
    tangent = np.stack([around[..., 2], np.zeros(around.shape[:2]), -around[..., 0]], axis=-1)
    normals = np.cross(tangent, along)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals = np.where(length > 1e-9, normals / np.maximum(length, 1e-9), around)
    profile = np.array([[section.y, max(section.x, section.z)] for section in sections])
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    u = np.stack([ring[2] for ring in rings])
    uv = np.stack([u, np.broadcast_to((way / way[-1])[:, None], u.shape)], axis=-1)
    rows, columns = points.shape[:2]
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    low, high = (corner, corner + 1), (corner + columns, corner + columns + 1)
    faces = np.concatenate([np.stack([low[0], low[1], high[1]], 1), np.stack([low[0], high[1], high[0]], 1)])
    return Surface(points.reshape(-1, 3), normals.reshape(-1, 3), uv.reshape(-1, 2), faces.astype(np.int32))


def end(section: Section, *, up: bool, steps: int = 10) -> Surface:
    """Return the flat surface that closes a section, looking up or down; read from the front, u goes with x."""
    ring = _ring(section, steps)[0][1:-1]
    points = np.concatenate([[[0, section.y, 0]], ring])
    normals = np.tile([0.0, 1.0 if up else -1.0, 0.0], (len(points), 1))
    width, depth = max(section.x, 1e-4), max(section.z, 1e-4)
    uv = np.stack([points[:, 0] / width, -points[:, 2] / depth], axis=1) / 2 + 0.5
    number = np.arange(1, len(points))
    after = np.roll(number, -1)
    faces = np.stack([np.zeros_like(number), number, after] if up else [np.zeros_like(number), after, number], 1)
    return Surface(points, normals, uv, faces.astype(np.int32))


def sheet(width: float, height: float, x: float, y: float, z: float) -> Surface:
    """Return an upright rectangle centred on a point, facing +z."""
    u = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
    points = np.column_stack([(u - 0.5) * (width, height) + (x, y), np.full(4, z)])
    return Surface(points, np.tile([0.0, 0.0, 1.0], (4, 1)), u, np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32))


def join(*surfaces: Surface) -> Surface:
    """Return several surfaces as one."""
    starts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
    return Surface(
        np.concatenate([surface.vertices for surface in surfaces]),
        np.concatenate([surface.normals for surface in surfaces]),
        np.concatenate([surface.uv for surface in surfaces]),
        np.concatenate([s.faces + start for s, start in zip(surfaces, starts, strict=True)]).astype(np.int32),
    )


def solid(sections: list[Section], steps: int = 10) -> Surface:
    """Return a loft closed at both ends."""
    return join(loft(sections, steps), end(sections[0], up=False, steps=steps), end(sections[-1], up=True, steps=steps))


def box(size: tuple[float, float, float], centre: tuple[float, float, float], corner: float = 0.01) -> Surface:
    """Return a closed box with rounded upright edges."""
    x, y, z = (side / 2 for side in size)
    return moved(solid([box_section(-y, x, z, corner), box_section(y, x, z, corner)], 3), *centre)


def moved(surface: Surface, x: float = 0, y: float = 0, z: float = 0) -> Surface:
    """Return the surface shifted."""
    return replace(surface, vertices=surface.vertices + np.array([x, y, z]))


def tilted(surface: Surface, degrees: float) -> Surface:
    """Return the surface turned about the x axis; 90 turns what looked up to the front."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return replace(surface, vertices=surface.vertices @ turn.T, normals=surface.normals @ turn.T)
