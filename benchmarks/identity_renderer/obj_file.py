"""Read Wavefront OBJ text into triangles, one array row a corner, without a loop over numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from identity_renderer.errors import MeshError

MAX_FACES = 300_000


@dataclass(frozen=True, eq=False)
class Triangles:
    """The triangles of an OBJ file.

    Attributes:
        points: (P, 3) float64 positions.
        uvs: (T, 2) float64 texture coordinates.
        normals: (N, 3) float64 normals of the file.
        corners: (F, 3, 3) int64; for each corner its position, texture coordinate and normal, -1 where it has none.
        materials: (F,) int64 numbers into `names`.
        smoothing: (F,) int64 smoothing group, 0 for flat faces.
        names: Materials in the order of their first use.
    """

    points: NDArray[np.float64]
    uvs: NDArray[np.float64]
    normals: NDArray[np.float64]
    corners: NDArray[np.int64]
    materials: NDArray[np.int64]
    smoothing: NDArray[np.int64]
    names: tuple[str, ...]


def read_triangles(text: str) -> Triangles:
    """Read an OBJ file; polygons become fans of triangles, lines and points are left out.

    Raises:
        MeshError: There are no faces, more than 300,000, non-finite numbers, or indices that point nowhere.
    """
    rows: dict[str, list[str]] = {"v": [], "vt": [], "vn": []}
    polygons: dict[tuple[int, int], list[str]] = defaultdict(list)
    states: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    names: dict[str, int] = {}
    material, group, count = -1, 0, 0
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word in rows:
            rows[word].append(rest)
        elif word == "f":
            tokens = rest.split()
            shape = (len(tokens), tokens[0].count("/") if tokens else 0)
            count += len(tokens) - 2
            polygons[shape].append(rest)
            states[shape].append((material, group))
        elif word == "usemtl":
            material = names.setdefault(rest.strip(), len(names))
        elif word == "s":
            group = int(rest) if rest.strip().isdigit() else 0
    if not 0 < count <= MAX_FACES:
        raise MeshError(f"The OBJ file has {count} triangles, expected 1 to {MAX_FACES}: leave it out")
    try:
        fans = [_fan(shape, lines, states[shape]) for shape, lines in polygons.items() if shape[0] >= 3]
        points, uvs, normals = (_table(rows[word], width) for word, width in (("v", 3), ("vt", 2), ("vn", 3)))
    except ValueError as error:
        raise MeshError(f"The OBJ file holds what is no number ({error}): leave it out") from error
    corners, state = (np.concatenate(arrays) for arrays in zip(*fans, strict=True))
    _check(corners, points, uvs, normals)
    named = tuple(names) or ("default",)
    return Triangles(points, uvs, normals, corners, np.maximum(state[:, 0], 0), state[:, 1], named)


def _table(lines: list[str], width: int) -> NDArray[np.float64]:
    """Return the first numbers of each line, (len(lines), width)."""
    if not lines:
        return np.empty((0, width))
    return np.loadtxt(lines, dtype=np.float64, usecols=range(width), ndmin=2, comments="#")


def _fan(
    shape: tuple[int, int], lines: list[str], states: list[tuple[int, int]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the corners (F, 3, 3) and the material and smoothing (F, 2) of polygons with equally many corners."""
    sides, slashes = shape
    joined = " ".join(lines)
    if "//" in joined:
        joined = joined.replace("//", "/0/")
    numbers = np.array(joined.replace("/", " ").split(), dtype=np.int64).reshape(len(lines), sides, slashes + 1)
    full = np.zeros((len(lines), sides, 3), dtype=np.int64)
    full[:, :, : slashes + 1] = numbers
    order = np.stack([np.zeros(sides - 2, int), np.arange(1, sides - 1), np.arange(2, sides)], axis=1)
    return full[:, order].reshape(-1, 3, 3) - 1, np.repeat(np.array(states, dtype=np.int64), sides - 2, axis=0)


def _check(
    corners: NDArray[np.int64], points: NDArray[np.float64], uvs: NDArray[np.float64], normals: NDArray[np.float64]
) -> None:
    highest = corners.reshape(-1, 3).max(axis=0)
    lowest = corners.reshape(-1, 3).min(axis=0)
    if lowest[0] < 0 or lowest[1] < -1 or lowest[2] < -1 or np.any(highest >= (len(points), len(uvs), len(normals))):
        raise MeshError("The OBJ file's faces name vertices that it does not hold: leave it out")
    if not all(np.isfinite(table).all() for table in (points[np.unique(corners[:, :, 0])], uvs, normals)):
        raise MeshError("The OBJ file holds non-finite coordinates: leave it out")


def without_slivers(triangles: Triangles, points: NDArray[np.float64]) -> Triangles:
    """Leave out triangles without area at `points`, (P, 3): they show nothing and have no normal.

    Raises:
        MeshError: None is left.
    """
    a, b, c = (points[triangles.corners[:, corner, 0]] for corner in range(3))
    solid = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-14
    if not solid.any():
        raise MeshError("The OBJ file's triangles have no area: leave it out")
    return replace(
        triangles,
        corners=triangles.corners[solid],
        materials=triangles.materials[solid],
        smoothing=triangles.smoothing[solid],
    )
