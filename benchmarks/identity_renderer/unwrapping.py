"""Texture coordinates for surfaces that get a pattern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from identity_renderer.mesh import Part
from identity_renderer.reshaping import areas

# Coordinates that put fewer or more repeats on a unit of length than this are no use for a pattern.
_USABLE_DENSITY = (0.02, 200.0)


def unwrap(part: Part, repeats: float, quarter: bool) -> Part:
    """Give a part texture coordinates on which a tile repeats evenly.

    A part's own coordinates are kept and only scaled; a part without them is projected along the axis that each
    face looks along most, which needs vertices of its own for each of the three directions.

    Args:
        part: Its texture is not read.
        repeats: Of a tile along one unit of length, which is the mesh's longest side.
        quarter: Turn the tile by a quarter.

    Returns:
        The part with `uv`.
    """
    density = _density(part)
    if _USABLE_DENSITY[0] < density < _USABLE_DENSITY[1] and part.uv is not None:
        uv = part.uv * np.float32(repeats / density)
        return replace(part, uv=np.ascontiguousarray(uv[:, ::-1] if quarter else uv))
    return _project(part, repeats, quarter)


def _density(part: Part) -> float:
    """Return the repeats along a unit of length that a part's own coordinates give; 0 without any."""
    if part.uv is None:
        return 0.0
    a, b, c = (part.uv[part.faces[:, corner]].astype(np.float64) for corner in range(3))
    one, other = b - a, c - a
    flat = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() / 2
    return float(np.sqrt(flat / max(float(areas(part).sum()), 1e-12)))


def _project(part: Part, repeats: float, quarter: bool) -> Part:
    a, b, c = (part.vertices[part.faces[:, corner]] for corner in range(3))
    axis = np.abs(np.cross(b - a, c - a)).argmax(axis=1)
    keys = part.faces.astype(np.int64) * 3 + axis[:, None]
    kept, faces = np.unique(keys, return_inverse=True)
    vertex, looks = kept // 3, kept % 3
    points = part.vertices[vertex]
    # Upright on the sides: v is height there; seen from above, v is depth.
    columns = np.array([[2, 1], [0, 2], [0, 1]])[looks]
    uv: NDArray[np.float32] = np.take_along_axis(points, columns, axis=1) * np.float32(repeats)
    return replace(
        part,
        vertices=points,
        faces=faces.reshape(-1, 3).astype(np.int32),
        normals=part.normals[vertex],
        uv=np.ascontiguousarray(uv[:, ::-1] if quarter else uv),
    )
