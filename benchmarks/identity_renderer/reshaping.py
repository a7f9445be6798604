"""Change the proportions of meshes and bring them back to where `Mesh` wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from identity_renderer.mesh import Mesh, Part

_Move = Callable[[Part], tuple[NDArray[np.floating], NDArray[np.floating]]]
"""Returns new vertices and new normals, of any length."""


def bounds(mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest corner (3,) of a mesh."""
    low = np.min([part.vertices.min(axis=0) for part in mesh.parts], axis=0)
    high = np.max([part.vertices.max(axis=0) for part in mesh.parts], axis=0)
    return low.astype(np.float64), high.astype(np.float64)


def areas(part: Part) -> NDArray[np.float64]:
    """Return the area of each face, (F,)."""
    a, b, c = (part.vertices[part.faces[:, corner]].astype(np.float64) for corner in range(3))
    return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)


def shares(mesh: Mesh) -> NDArray[np.float64]:
    """Return the share of the surface that each part has, (len(parts),)."""
    surfaces = np.array([areas(part).sum() for part in mesh.parts])
    return np.asarray(surfaces / max(float(surfaces.sum()), 1e-12))


def scale(mesh: Mesh, factors: NDArray[np.float64]) -> Mesh:
    """Stretch along the axes by factors (3,), then normalise."""
    return _moved(mesh, lambda part: (part.vertices * factors, part.normals / factors))


def taper(mesh: Mesh, strength: float) -> Mesh:
    """Narrow the top by a fraction, or the bottom if negative, then normalise."""
    low, high = bounds(mesh)
    height = max(float(high[1] - low[1]), 1e-9)
    slope = -strength / height
    base = 1.0 if strength >= 0 else 1.0 + strength

    def bend(part: Part) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points, normals = part.vertices.astype(np.float64), part.normals.astype(np.float64)
        width = base + slope * (points[:, 1:2] - low[1])
        moved = points * np.concatenate([width, np.ones_like(width), width], axis=1)
        # Normals turn by the inverse transpose of the bend's derivative.
        flat = normals / np.concatenate([width, np.ones_like(width), width], axis=1)
        flat[:, 1] -= slope * (points[:, 0] * flat[:, 0] + points[:, 2] * flat[:, 2])
        return moved, flat

    return _moved(mesh, bend)


def _moved(mesh: Mesh, move: _Move) -> Mesh:
    """Move every part, and bring the whole back onto y = 0, to the middle, and to a longest side of 1."""
    moved = [move(part) for part in mesh.parts]
    low = np.min([points.min(axis=0) for points, _ in moved], axis=0)
    high = np.max([points.max(axis=0) for points, _ in moved], axis=0)
    middle = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    size = float((high - low).max())
    parts = []
    for part, (points, normals) in zip(mesh.parts, moved, strict=True):
        lengths = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        vertices = ((points - middle) / size).astype(np.float32)
        parts.append(replace(part, vertices=vertices, normals=(normals / lengths).astype(np.float32)))
    return replace(mesh, parts=tuple(parts))
