"""Normals for the corners of an OBJ file's triangles: its own, or computed from its smoothing groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from identity_renderer.obj_file import Triangles

# Faces that meet at more than about 45 degrees keep their edge, as in the viewer that the archives are made for.
_CREASE_COSINE = 0.7
# Where every face is this near to the mean, no two of them can be a crease apart.
_EVEN_COSINE = 0.93
# A corner of more faces than this is the middle of a disc, where all agree, or a broken mesh.
_MOST_FACES = 256


def corner_normals(
    triangles: Triangles, points: NDArray[np.float64], turn: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return unit normals for every corner: the file's own where it has them, computed ones elsewhere.

    Args:
        triangles: Of the file, none without area.
        points: (P, 3) positions to compute from, in the place of the file's.
        turn: (3, 3) matrix that takes the file's normals to where `points` are.

    Returns:
        A table (N, 3) of normals and row numbers into it, (F, 3).
    """
    given = _unit(triangles.normals @ turn.T)
    places = triangles.corners[:, :, 0]
    flat, angles = _faces(points[places])
    # Corners at one place in one smoothing group share a normal.
    keys = triangles.smoothing[:, None] * len(points) + places
    shared = np.unique(keys, return_inverse=True)[1].reshape(places.shape)
    smooth = np.zeros((int(shared.max()) + 1, 3))
    for corner in range(3):
        np.add.at(smooth, shared[:, corner], flat * angles[:, corner, None])
    smooth = _unit(smooth)
    uneven = np.einsum("fcd,fd->fc", smooth[shared], flat) < _EVEN_COSINE
    creased = np.bincount(shared.ravel(), weights=uneven.ravel())[shared] > 0
    rows = len(given) + shared
    rows = np.where((triangles.smoothing == 0)[:, None], len(given) + len(smooth) + np.arange(len(flat))[:, None], rows)
    at = np.nonzero(creased & (triangles.smoothing > 0)[:, None])
    edged = _within_creases(shared[at], flat[at[0]], angles[at])
    rows[at] = len(given) + len(smooth) + len(flat) + np.arange(len(edged))
    table = np.concatenate([given, smooth, flat, edged])
    named = triangles.corners[:, :, 2]
    usable = (named >= 0) & (np.abs(table[named]).sum(axis=2) > 0.5)
    return table, np.where(usable, named, rows)


def _faces(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the unit normals (F, 3) of triangles (F, 3, 3) and the angles (F, 3) at their corners.

    Weighting by angle makes normals independent of how a polygon was cut into triangles.
    """
    flat = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    onward = _unit((np.roll(corners, -1, axis=1) - corners).reshape(-1, 3)).reshape(-1, 3, 3)
    turns = np.einsum("fcd,fcd->fc", onward, -np.roll(onward, 1, axis=1))
    return flat, np.arccos(np.clip(turns, -1, 1))


def _within_creases(
    shared: NDArray[np.int64], flat: NDArray[np.float64], angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return for each corner (C,) the mean normal of the faces there that are no crease away from its own face."""
    order = np.argsort(shared, kind="stable")
    flat, angles = flat[order], angles[order]
    _, first, counts = np.unique(shared[order], return_index=True, return_counts=True)
    many = np.repeat(np.where(counts <= _MOST_FACES, counts, 1), counts)
    start = np.where(np.repeat(counts, counts) <= _MOST_FACES, np.repeat(first, counts), np.arange(len(order)))
    own = np.repeat(np.arange(len(order)), many)
    other = np.arange(len(own)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(start, many)
    near = np.einsum("pd,pd->p", flat[own], flat[other]) > _CREASE_COSINE
    own, other = own[near], other[near]
    summed = [np.bincount(own, flat[other, axis] * angles[other], minlength=len(order)) for axis in range(3)]
    means = np.empty((len(order), 3))
    means[order] = np.stack(summed, axis=1)
    return _unit(means)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
