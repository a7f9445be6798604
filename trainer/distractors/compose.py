"""Cutting a thing out of one picture and putting it into another.

Every picture of a training set goes through the same steps, the positive too: its own thing is cut out, its place is
filled in, and it is pasted back with the same resampling, the same feathered edges and the same shade at its foot as a
look-alike. Were the positive left as it is, "has been edited" would tell the distractors from it, and a head would
learn that instead of identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.trainer.distractors.colour import from_lab, to_lab
from nearid_search.trainer.distractors.masks import BoolMask, border_share, bounding_box, dilate
from nearid_search.trainer.distractors.rejection import Rejection

Pixels = NDArray[np.uint8]

_HOLE_REACH = 0.04  # of the longer side of the thing's box: what its mask may have missed, and its shade
_LARGEST_GAIN = 2.0  # a look-alike enlarged more would be blurred
_LEAST_AREA = 0.3  # of the original thing's box
_LARGEST_CUT = 0.01  # of the picture's border; more means that the look-alike goes on outside its picture
_JITTER_SHIFT, _JITTER_SCALE = 0.015, 0.03
_LIGHT, _TINT = 0.5, 0.3  # how far lightness and colour of a look-alike follow the light of the place
_FOOT_SHADE = 0.35


class Placement(NamedTuple):
    """Where a cut-out goes.

    Attributes:
        scale: of its size.
        right: column of the left edge of its box, in pixels of the picture it goes to.
        down: row of the top edge of its box.
    """

    scale: float
    right: float
    down: float


@dataclass(frozen=True)
class CutOut:
    """A thing without its background.

    Attributes:
        pixels: (h, w, 3) uint8 RGB of its box and a margin, its own colours carried on beyond its edges.
        alpha: (h, w) float32 in [0, 1], soft at the edges.
        margin: pixels between box and edge of ``pixels``.
        light: mean and standard deviation in CIELAB of the background it was in, (2, 3) float32.
    """

    pixels: Pixels
    alpha: NDArray[np.float32]
    margin: int
    light: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the box."""
        return self.alpha.shape[1] - 2 * self.margin, self.alpha.shape[0] - 2 * self.margin


def hole_of(cv2: ModuleType, mask: BoolMask) -> BoolMask:
    """Return what must be filled in for a thing to be gone: its mask, grown by what masks miss."""
    left, top, right, bottom = bounding_box(mask)
    return dilate(cv2, mask, max(5, round(_HOLE_REACH * max(right - left, bottom - top))))


def cut_out(cv2: ModuleType, pixels: Pixels, mask: BoolMask) -> CutOut:
    """Cut a thing out.

    Args:
        cv2: the module.
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, not empty.

    Returns:
        The thing. Its edges, where its own picture's background shines through, take the colours next to them.
    """
    left, top, right, bottom = bounding_box(mask)
    margin = 4
    around = ((margin, margin), (margin, margin))
    box = np.pad(pixels[top:bottom, left:right], (*around, (0, 0)), mode="edge")
    inside = np.pad(mask[top:bottom, left:right], around)
    # A thing goes on beyond the frame that cuts it off: no soft edge there.
    if left == 0:
        inside[:, :margin] = inside[:, [margin]]
    if right == mask.shape[1]:
        inside[:, -margin:] = inside[:, [-margin - 1]]
    if top == 0:
        inside[:margin] = inside[margin]
    if bottom == mask.shape[0]:
        inside[-margin:] = inside[-margin - 1]
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    core = core if core.any() else inside
    _, nearest = cv2.distanceTransformWithLabels(
        (~core).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((nearest.max() + 1, 3), np.uint8)
    colours[nearest[core]] = box[core]
    alpha = cv2.GaussianBlur(core.astype(np.float32), (0, 0), 0.8)
    return CutOut(np.where(core[..., None], box, colours[nearest]), alpha, margin, _light(cv2, pixels, mask))


def own_placement(mask: BoolMask, rng: np.random.Generator | None) -> Placement:
    """Say where a thing goes back: its own place, moved and scaled by a hair as a look-alike would be.

    Args:
        mask: (H, W) bool, where it was.
        rng: decides by how much; None for not at all.
    """
    left, top, right, bottom = bounding_box(mask)
    if rng is None:
        return Placement(1.0, left, top)
    side = max(right - left, bottom - top)
    scale = 1 + _JITTER_SCALE * float(rng.uniform(-1, 1))
    shift_right, shift_down = _JITTER_SHIFT * side * rng.uniform(-1, 1, 2)
    # A thing that its frame cuts off must stay at the frame.
    at_side, at_end = left == 0 or right == mask.shape[1], top == 0 or bottom == mask.shape[0]
    if at_side or at_end:
        return Placement(1.0, left + (0.5 if not at_side else 0.0), top + (0.5 if not at_end else 0.0))
    middle = (left + right) / 2 + shift_right
    return Placement(scale, middle - (right - left) * scale / 2, bottom + shift_down - (bottom - top) * scale)


def fit_placement(donor: BoolMask, mask: BoolMask) -> Placement | Rejection:
    """Say where a look-alike goes: standing where the thing stood, its box as large.

    Args:
        donor: (h, w) bool, the look-alike in its own picture.
        mask: (H, W) bool, the thing to be replaced.

    Returns:
        The placement, or why the look-alike cannot stand there.
    """
    if border_share(donor) > _LARGEST_CUT:
        return Rejection("look-alike is cut off by its picture's frame")
    left, top, right, bottom = bounding_box(donor)
    width, height = right - left, bottom - top
    goal_left, goal_top, goal_right, goal_bottom = bounding_box(mask)
    goal_width, goal_height = goal_right - goal_left, goal_bottom - goal_top
    scale = float(np.sqrt(goal_width * goal_height / (width * height)))
    if scale > _LARGEST_GAIN:
        return Rejection("look-alike is too small in its picture")
    scale = min(scale, 1.3 * goal_height / height, 0.98 * mask.shape[1] / width, 0.98 * goal_bottom / height)
    if scale**2 * width * height < _LEAST_AREA * goal_width * goal_height:
        return Rejection("look-alike has too different a shape")
    slack = mask.shape[1] - width * scale
    at = min(max((goal_left + goal_right - width * scale) / 2, 0.01 * slack), 0.99 * slack)
    return Placement(scale, at, goal_bottom - height * scale)


def paste(
    cv2: ModuleType,
    background: Pixels,
    thing: CutOut,
    placement: Placement,
) -> tuple[Pixels, BoolMask]:
    """Put a thing into a picture.

    Args:
        cv2: the module.
        background: (H, W, 3) uint8 RGB.
        thing: what to put there.
        placement: where.

    Returns:
        The picture, (H, W, 3) uint8 RGB, and where the thing is in it, (H, W) bool.
    """
    height, width = background.shape[:2]
    scale = placement.scale
    pixels, alpha, margin = thing.pixels, thing.alpha, float(thing.margin)
    if scale < 0.7:  # warping alone would alias
        size = max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale))
        margin *= size[0] / alpha.shape[1]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        alpha, scale = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), 1.0
    matrix = np.array(
        [[scale, 0, placement.right - margin * scale], [0, scale, placement.down - margin * scale]], np.float64
    )
    moved = cv2.warpAffine(
        pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    opacity = cv2.warpAffine(alpha, matrix, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    ground = background.astype(np.float32) * (1 - _foot_shade(cv2, opacity[..., 0]))[..., None]
    mixed = opacity * moved + (1 - opacity) * ground
    return np.rint(mixed).clip(0, 255).astype(np.uint8), opacity[..., 0] > 0.5


def harmonise(cv2: ModuleType, thing: CutOut, light: NDArray[np.float32]) -> CutOut:
    """Move a thing's colours part of the way from the light it was in to another.

    Light is judged by the backgrounds, never by the things: a white lamp in the place of a black one must stay white.

    Args:
        cv2: the module.
        thing: the cut-out.
        light: (2, 3) float32 of the place it goes to, as ``CutOut.light``.

    Returns:
        The same cut-out in the other light.
    """
    lab = to_lab(cv2, thing.pixels)
    shift = (light[0] - thing.light[0]) * np.array([_LIGHT, _TINT, _TINT], np.float32)
    shift = shift.clip([-15, -8, -8], [15, 8, 8])
    contrast = float(np.clip((light[1, 0] + 1) / (thing.light[1, 0] + 1), 0.6, 1.6) ** 0.4)
    middle = lab[..., 0][thing.alpha > 0.5].mean()
    lab[..., 0] = (lab[..., 0] - middle) * contrast + middle
    # Black stays black and white white: light scales them, it does not lift them.
    lab[..., 0] += shift[0] * (lab[..., 0] / 60).clip(0.2, 1)
    lab[..., 1:] += shift[1:]
    return CutOut(from_lab(cv2, lab), thing.alpha, thing.margin, light)


def _light(cv2: ModuleType, pixels: Pixels, mask: BoolMask) -> NDArray[np.float32]:
    lab = to_lab(cv2, pixels)[~dilate(cv2, mask, 5)]
    if not len(lab):
        return np.array([[60, 0, 0], [20, 8, 8]], np.float32)
    return np.stack([lab.mean(0), lab.std(0)]).astype(np.float32)


def _foot_shade(cv2: ModuleType, opacity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how dark the ground is around a thing's foot, (H, W) in [0, 1]."""
    solid = opacity > 0.5
    if not solid.any():
        return np.zeros_like(opacity)
    left, top, right, bottom = bounding_box(solid)
    reach = 0.03 * max(right - left, bottom - top)
    foot = np.zeros_like(opacity)
    start = bottom - max(1, round(0.1 * (bottom - top)))
    foot[start:bottom] = opacity[start:bottom]
    shade: NDArray[np.float32] = cv2.GaussianBlur(foot, (0, 0), reach) * _FOOT_SHADE
    return shade
