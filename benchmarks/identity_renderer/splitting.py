"""Cut one part in two, so that a thing of a single material can still differ in one place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from identity_renderer.mesh import Mesh, Part
from identity_renderer.reshaping import areas


def select(part: Part, chosen: NDArray[np.bool_]) -> Part:
    """Return a part with only the chosen faces (F,) and the vertices that they use."""
    kept, faces = np.unique(part.faces[chosen], return_inverse=True)
    return replace(
        part,
        vertices=part.vertices[kept],
        faces=faces.reshape(-1, 3).astype(np.int32),
        normals=part.normals[kept],
        uv=None if part.uv is None else part.uv[kept],
    )


def components(part: Part) -> NDArray[np.int64]:
    """Number the connected pieces of a part: the number of each face's piece, (F,), from 0 on.

    Vertices at the same place count as one, because materials and creases double them.
    """
    steps = np.round(part.vertices.astype(np.float64) * 1e5).astype(np.int64)
    _, places = np.unique(steps @ np.array([1, 1 << 20, 1 << 40]), return_inverse=True)
    faces = places[part.faces]
    labels = np.arange(int(faces.max()) + 1)
    while True:
        lowest = labels[faces].min(axis=1)
        lowered = labels.copy()
        for corner in range(3):
            np.minimum.at(lowered, faces[:, corner], lowest)
            # A label that another vertex hands on is followed to its end, which keeps the rounds few.
            np.minimum.at(lowered, labels[faces[:, corner]], lowest)
        lowered = lowered[lowered]
        if np.array_equal(lowered, labels):
            break
        labels = lowered
    return np.asarray(np.unique(labels[faces[:, 0]], return_inverse=True)[1])


def clumps(mesh: Mesh) -> int:
    """Count the groups of pieces whose boxes touch: more of them than before means that something floats.

    Returns:
        The count; 0 for a mesh of more than 800 pieces, where it says nothing and would take long.
    """
    lows, highs = [], []
    for part in mesh.parts:
        labels = components(part)
        corners = part.vertices[part.faces]
        low = np.full((int(labels.max()) + 1, 3), np.inf)
        high = -low
        np.minimum.at(low, labels, corners.min(axis=1))
        np.maximum.at(high, labels, corners.max(axis=1))
        lows.append(low - 0.005)
        highs.append(high + 0.005)
    low, high = np.concatenate(lows), np.concatenate(highs)
    if len(low) > 800:
        return 0
    touching = ((low[:, None] <= high[None]) & (high[:, None] >= low[None])).all(axis=2)
    numbers = np.arange(len(low))
    while True:
        spread = np.where(touching, numbers[None], len(low)).min(axis=1)
        if np.array_equal(spread, numbers):
            return len(np.unique(numbers))
        numbers = spread


def cut(part: Part, axis: int, height: float) -> tuple[Part, Part] | None:
    """Cut a part by the plane where coordinate `axis` is `height`.

    Returns:
        What lies below and above, with clean edges; None if all of it is on one side.
    """
    above = part.vertices[:, axis] > height
    count = above[part.faces].sum(axis=1)
    if (count == 0).all() or (count == 3).all():
        return None
    whole, crossing = part.faces[(count == 0) | (count == 3)], part.faces[(count == 1) | (count == 2)]
    # Turn each crossed face so that the corner that is alone on its side comes first.
    alone = above[crossing] == (above[crossing].sum(axis=1) == 1)[:, None]
    turn = (alone.argmax(axis=1)[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(crossing, turn, axis=1).T
    vertices, normals, uv, p, q = _edge_points(part, axis, height, (a, b, c))
    pieces = [whole, *(np.stack(corners, axis=1) for corners in ((a, p, q), (p, b, c), (p, c, q)))]
    upper = [above[whole[:, 0]], above[a], ~above[a], ~above[a]]
    faces, is_upper = np.concatenate(pieces).astype(np.int32), np.concatenate(upper)
    doubled = replace(part, vertices=vertices, normals=normals, uv=uv, faces=faces)
    return select(doubled, ~is_upper), select(doubled, is_upper)


def _edge_points(
    part: Part, axis: int, height: float, corners: tuple[NDArray[np.int32], ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.int64], NDArray[np.int64]]:
    """Return the part's vertices, normals and uv with those on the edges a-b and a-c, and the numbers of these."""
    a, b, c = corners
    start, end = np.concatenate([a, a]), np.concatenate([b, c])
    level = part.vertices[:, axis]
    along = ((height - level[start]) / (level[end] - level[start])).astype(np.float32)[:, None]

    def between(table: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([table, table[start] + along * (table[end] - table[start])])

    normals = between(part.normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    numbers = len(part.vertices) + np.arange(len(start))
    uv = None if part.uv is None else between(part.uv)
    return between(part.vertices), normals, uv, numbers[: len(a)], numbers[len(a) :]


def slab(part: Part, rng: np.random.Generator, low: float = 0.12, high: float = 0.5) -> tuple[Part, Part] | None:
    """Cut off an end of a part that has between `low` and `high` of its surface.

    Returns:
        The rest and the end; None if no plane across one of its longer sides does it.
    """
    extent = np.ptp(part.vertices, axis=0)
    long_axes = np.flatnonzero(extent > 0.3 * extent.max())
    whole = float(areas(part).sum())
    for axis in rng.permutation(long_axes):
        bottom = float(part.vertices[:, axis].min())
        for place in rng.uniform(0.15, 0.85, 6):
            halves = cut(part, int(axis), bottom + float(place * extent[axis]))
            if halves is None:
                continue
            ends = sorted(halves, key=lambda half: float(areas(half).sum()))
            if low <= float(areas(ends[0]).sum()) / whole <= high:
                return ends[1], ends[0]
    return None
