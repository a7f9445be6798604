"""Removing a thing from its picture: what its place would look like without it.

A generative model does this best; any can be plugged in as an ``Inpainter``. The one built in needs OpenCV alone. It
fills the hole with shifted and mirrored copies of the same picture, those that fit best along the hole's rim, because
most things stand before a wall and on a ground that go on to their left and right; then it carries the remaining
difference at the rim smoothly inwards. That leaves texture and horizon, where diffusion (Telea, Navier-Stokes) leaves a
smear in the shape of the thing, which would give the answer away.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nearid_search.opencv_extra import import_cv2
from nearid_search.trainer.distractors.masks import BoolMask, bounding_box, dilate

Pixels = NDArray[np.uint8]
_Floats = NDArray[np.float32]

_SEARCH_SIDE = 112  # pixels; where copies are compared
_STEP = 2  # of offsets, in pixels of that size
_LEAST_COVER = 0.15  # of the hole, by a copy
_LEAST_SEEN = 0.3  # of the rim, in a copy
_MAX_PLACES = 400  # of rim and hole that are looked at
_MAX_COPIES = 5
_LARGEST_OFFSET = 40  # of 255; a larger difference at the rim is another thing there, not another light


class Inpainter(Protocol):
    """Fills a hole in a picture.

    Attributes:
        name: what the manifest calls it; part of what makes two datasets the same.
    """

    name: str

    def __call__(self, pixels: Pixels, hole: BoolMask, *, seed: int) -> Pixels:
        """Fill the hole with background.

        Args:
            pixels: (H, W, 3) uint8 RGB; not to be changed.
            hole: (H, W) bool, true where the thing was; neither empty nor everything.
            seed: decides every random choice.

        Returns:
            (H, W, 3) uint8 RGB, outside the hole as ``pixels``.
        """
        ...


class _Copy(NamedTuple):
    """The picture moved over itself: place ``(y, x)`` shows ``(y + down, x + right)`` or ``(y + down, right - x)``."""

    down: int
    right: int
    mirrored: bool


class CopyInpainter:
    """Fills the hole with shifted and mirrored copies of the picture.

    Raises:
        MissingExtraError: if OpenCV is not installed.
    """

    name = "copies"

    def __init__(self) -> None:
        self._cv2 = import_cv2()

    def __call__(self, pixels: Pixels, hole: BoolMask, *, seed: int) -> Pixels:  # noqa: ARG002
        """Fill the hole; nothing here is random, so the seed is not used.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            hole: (H, W) bool, neither empty nor everything.
            seed: not used.

        Returns:
            (H, W, 3) uint8 RGB, outside the hole as ``pixels``.
        """
        cv2 = self._cv2
        height, width = hole.shape
        scale = min(1.0, _SEARCH_SIDE / max(height, width))
        size = max(8, round(width * scale)), max(8, round(height * scale))
        # From here on nothing of the thing is looked at, or its colours would bleed into the fill.
        smooth = diffuse(cv2, pixels.astype(np.float32), ~hole)
        small = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
        small_hole = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
        copies = _find_copies(cv2, small, small_hole)
        weights = [cv2.resize(weight, (width, height)) for weight in _weigh(cv2, small, small_hole, copies)]
        scales = width / size[0], height / size[1]
        rim_at = _some(np.argwhere(dilate(cv2, hole, 4) & ~hole))
        total, filled = np.full(hole.shape, 1e-6, np.float32), np.zeros(pixels.shape, np.float32)
        for copy, weight in zip(copies, weights, strict=True):
            large = _Copy(round(copy.down * scales[1]), round(copy.right * scales[0]), copy.mirrored)
            shown, valid = _move(smooth, ~hole, _align(smooth, hole, rim_at, large, round(_STEP * scales[0]) + 1))
            part = weight * valid
            filled += part[..., None] * shown
            total += part
        filled /= total[..., None]
        known = total > 1e-3
        filled = np.where(known[..., None], filled, smooth)
        filled = _match_rim(cv2, smooth, filled, hole, known)
        return np.where(hole[..., None], np.rint(filled).clip(0, 255), pixels).astype(np.uint8)


def diffuse(cv2: ModuleType, values: _Floats, known: BoolMask) -> _Floats:
    """Spread known values smoothly over the unknown places, over a pyramid.

    Args:
        cv2: the module.
        values: (H, W, C) float32, read where ``known``.
        known: (H, W) bool.

    Returns:
        (H, W, C) float32, ``values`` where known.
    """
    weight = known.astype(np.float32)
    if known.all() or min(known.shape) <= 2:
        mean = values[known].mean(axis=0) if known.any() else np.zeros(values.shape[2], np.float32)
        return np.where(known[..., None], values, mean)
    sums = cv2.pyrDown(values * weight[..., None]).reshape(*((side + 1) // 2 for side in known.shape), -1)
    weights = cv2.pyrDown(weight)
    coarse_known = weights > 0.02
    coarse = np.where(coarse_known[..., None], sums / np.maximum(weights, 1e-6)[..., None], 0).astype(np.float32)
    spread = diffuse(cv2, coarse, coarse_known)
    height, width = known.shape
    finer = cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR).reshape(values.shape)
    return np.where(known[..., None], values, finer).astype(np.float32)


def _candidates(height: int, width: int) -> list[_Copy]:
    downs = range(-_STEP * 2, _STEP * 2 + 1, _STEP)
    shifts = [_Copy(down, right, False) for down in downs for right in range(-width, width + 1, _STEP) if right]
    mirrors = [_Copy(down, axis, True) for down in downs for axis in range(0, 2 * width, _STEP)]
    rises = [_Copy(down, 0, False) for down in range(-height, height + 1, _STEP) if abs(down) > _STEP * 2]
    return shifts + mirrors + rises


def _find_copies(cv2: ModuleType, small: _Floats, hole: BoolMask) -> list[_Copy]:
    """Choose copies one after another, each for what the ones before leave open or fit badly."""
    rim_at = _some(np.argwhere(dilate(cv2, hole, 3) & ~hole))
    hole_at = _some(np.argwhere(hole))
    # Every place of the hole asks the places of the rim that are near it how well a copy fits.
    distances = ((hole_at[:, None] - rim_at[None]) ** 2).sum(-1).astype(np.float32)
    near = 1 / (distances + 9)
    candidates = _candidates(*hole.shape)
    seen = np.stack([_valid_at(rim_at, copy, hole) for copy in candidates])
    covered = np.stack([_valid_at(hole_at, copy, hole) for copy in candidates])
    differences = np.zeros(seen.shape, np.float32)
    here = small[tuple(rim_at.T)]
    for number, copy in enumerate(candidates):
        there = _sources(rim_at, copy).clip(0, np.array(hole.shape) - 1)
        differences[number] = np.abs(small[tuple(there.T)] - here).mean(-1)
    fits = (differences * seen) @ near.T / np.maximum(seen @ near.T, 1e-6)
    penalties = np.array([8 * (copy.down != 0) + 0.6 * abs(copy.down) + 4 * copy.mirrored for copy in candidates])
    usable = covered & ((covered.mean(1) >= _LEAST_COVER) & (seen.mean(1) >= _LEAST_SEEN))[:, None]
    costs = np.where(usable, fits + penalties[:, None].astype(np.float32), np.inf)
    chosen: list[_Copy] = []
    best = np.full(len(hole_at), 120.0, np.float32)  # what leaving a place open costs
    for _ in range(_MAX_COPIES):
        gains = np.maximum(best - costs, 0).sum(1)
        winner = int(np.argmax(gains))
        if gains[winner] <= 2.0 * len(hole_at):
            break
        chosen.append(candidates[winner])
        best = np.minimum(best, costs[winner])
    return chosen


def _some(places: NDArray[np.int64]) -> NDArray[np.int64]:
    return places[:: -(-len(places) // _MAX_PLACES)]


def _align(smooth: _Floats, hole: BoolMask, rim_at: NDArray[np.int64], copy: _Copy, reach: int) -> _Copy:
    """Move a copy by a few pixels to where its texture fits best along the rim."""
    best, least = copy, np.inf
    last = np.array(hole.shape) - 1
    for down in range(-reach, reach + 1) if copy.down else (0,):
        for right in range(-reach, reach + 1):
            moved = _Copy(copy.down + down, copy.right + right, copy.mirrored)
            seen = _valid_at(rim_at, moved, hole)
            there = _sources(rim_at, moved).clip(0, last)
            differences = np.abs(smooth[tuple(there.T)] - smooth[tuple(rim_at.T)]).mean(-1)
            cost = differences[seen].mean() if seen.any() else np.inf
            if cost < least:
                best, least = moved, cost
    return best


def _weigh(cv2: ModuleType, small: _Floats, hole: BoolMask, copies: list[_Copy]) -> list[_Floats]:
    """Return for each copy how much of it each place takes; one copy nearly everywhere, blended where two meet."""
    rim = dilate(cv2, hole, 3) & ~hole
    fits = []
    for copy in copies:
        shown, valid = _move(small, ~hole, copy)
        difference = np.abs(shown - small).mean(-1, keepdims=True).astype(np.float32)
        fit = diffuse(cv2, difference, rim & valid)[..., 0]
        fits.append(np.where(valid, fit, np.float32(1e3)))
    if not fits:
        return []
    best = np.argmin(np.stack([cv2.GaussianBlur(fit, (0, 0), 2) for fit in fits]), axis=0)
    # Never quite zero, so that a place which its best copy does not reach takes the next.
    return [cv2.GaussianBlur((best == number).astype(np.float32), (0, 0), 1) + 0.01 for number in range(len(fits))]


def _match_rim(cv2: ModuleType, smooth: _Floats, filled: _Floats, hole: BoolMask, known: BoolMask) -> _Floats:
    """Carry the difference between picture and fill along the rim smoothly over the hole."""
    left, top, right, bottom = bounding_box(hole)
    reach = max(3, round(0.02 * max(right - left, bottom - top)))
    rim = dilate(cv2, hole, reach) & ~hole & known
    if not rim.any():
        return filled
    weight = rim.astype(np.float32)[..., None]
    blurred = cv2.GaussianBlur((smooth - filled) * weight, (0, 0), reach / 2)
    blurred /= np.maximum(cv2.GaussianBlur(weight, (0, 0), reach / 2)[..., None], 1e-3)
    offset = diffuse(cv2, blurred.clip(-_LARGEST_OFFSET, _LARGEST_OFFSET), rim)
    matched: _Floats = filled + np.where(known[..., None], offset, 0)
    return matched


def _sources(places: NDArray[np.int64], copy: _Copy) -> NDArray[np.int64]:
    columns = copy.right - places[:, 1] if copy.mirrored else places[:, 1] + copy.right
    return np.stack([places[:, 0] + copy.down, columns], axis=1)


def _valid_at(places: NDArray[np.int64], copy: _Copy, hole: BoolMask) -> BoolMask:
    rows, columns = _sources(places, copy).T
    inside = (rows >= 0) & (rows < hole.shape[0]) & (columns >= 0) & (columns < hole.shape[1])
    valid: BoolMask = inside & ~hole[rows.clip(0, hole.shape[0] - 1), columns.clip(0, hole.shape[1] - 1)]
    return valid


def _move(values: NDArray[Any], known: BoolMask, copy: _Copy) -> tuple[NDArray[Any], BoolMask]:
    """Return the moved picture and where it shows something known."""
    height, width = known.shape
    rows = np.arange(height) + copy.down
    columns = copy.right - np.arange(width) if copy.mirrored else np.arange(width) + copy.right
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    at = np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))
    return values[at], inside & known[at]
