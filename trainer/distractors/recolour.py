"""The same thing in other colours, wholly or in one part: another individual that differs in nothing else."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.trainer.distractors.colour import Lab, cluster, delta_e, from_lab, to_lab
from nearid_search.trainer.distractors.masks import BoolMask, dilate
from nearid_search.trainer.distractors.rejection import Rejection

Pixels = NDArray[np.uint8]

VISIBLE = 12.0
"""Least colour difference (CIE76) of a pixel that counts as changed: five times what is just visible."""

_ATTEMPTS = 8
_CLUSTERS = 4
_LEAST_WHOLE = 0.25  # share of the thing that a recolour must change visibly
_PART_SHARES = 0.05, 0.5
_NEUTRAL = 14.0  # chroma below which turning the hue shows nothing
_DARK = 25.0  # lightness below which no hue shows
_POSITION_WEIGHT = 45.0  # of a part's place beside its colour: from one end of the thing to the other


class Recoloured(NamedTuple):
    """A changed picture.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        share: of the thing's pixels that changed visibly; the oracle of part-level metrics is one minus this.
        difference: mean CIE76 difference of those.
    """

    pixels: Pixels
    share: float
    difference: float


def recolour(cv2: ModuleType, pixels: Pixels, mask: BoolMask, rng: np.random.Generator) -> Recoloured | Rejection:
    """Change the colour of the whole thing, or of its largest colour clusters.

    Args:
        cv2: the module.
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, where the thing is; not empty.
        rng: decides colours and extent.

    Returns:
        The picture, or why there is none.
    """
    lab = to_lab(cv2, pixels)
    groups = _colour_groups(lab, mask, rng)
    for _ in range(_ATTEMPTS):
        region = mask if rng.random() < 0.5 else groups[int(rng.integers(len(groups)))]
        changed = _repaint(cv2, pixels, lab, region, mask, rng)
        share, difference = _visible(cv2, pixels, changed, mask)
        if share >= _LEAST_WHOLE:
            return Recoloured(changed, share, difference)
    return Rejection("change of colour is not visible")


def repaint_part(cv2: ModuleType, pixels: Pixels, mask: BoolMask, rng: np.random.Generator) -> Recoloured | Rejection:
    """Change the colour of one connected part that makes up 5 to 50 % of the thing.

    Args:
        cv2: the module.
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, where the thing is; not empty.
        rng: decides part and colour.

    Returns:
        The picture, or why there is none.
    """
    lab = to_lab(cv2, pixels)
    parts = _parts(cv2, lab, mask, rng)
    if not parts:
        return Rejection("no part of 5 to 50 % of the thing stands out")
    # A part that ends where colours change looks made so; one that ends where only the shading does looks painted on.
    odds = np.array([_contrast(cv2, lab, part, mask) for part in parts]) ** 2 + 1e-3
    for _ in range(_ATTEMPTS):
        changed = _repaint(cv2, pixels, lab, parts[int(rng.choice(len(parts), p=odds / odds.sum()))], mask, rng)
        share, difference = _visible(cv2, pixels, changed, mask)
        if _PART_SHARES[0] <= share <= _PART_SHARES[1]:
            return Recoloured(changed, share, difference)
    return Rejection("change of a part is not visible")


def _visible(cv2: ModuleType, before: Pixels, after: Pixels, mask: BoolMask) -> tuple[float, float]:
    differences = delta_e(cv2, before, after)[mask]
    visible = differences > VISIBLE
    return float(visible.mean()), float(differences[visible].mean()) if visible.any() else 0.0


def _repaint(
    cv2: ModuleType,
    pixels: Pixels,
    lab: Lab,
    region: BoolMask,
    mask: BoolMask,
    rng: np.random.Generator,
) -> Pixels:
    """Give a region another colour; shading and texture stay."""
    inside = lab[region]
    lightness, chroma = float(np.median(inside[:, 0])), float(np.hypot(*np.median(inside[:, 1:], axis=0)))
    painted = lab.copy()
    if chroma > _NEUTRAL and lightness > _DARK:
        angle = np.deg2rad(rng.uniform(50, 310))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
        painted[..., 1:] = lab[..., 1:] @ turn * rng.uniform(0.75, 1.15)
        painted[..., 0] += rng.uniform(-15, 15)
    else:  # grey, black and white have no hue to turn: they get one
        hue, strength = rng.uniform(0, 2 * np.pi), rng.uniform(28, 50)
        # A highlight and a black line stay what they are.
        amount = np.exp(-(((lab[..., 0] - lightness) / 35) ** 2))[..., None]
        painted[..., 1:] += amount * strength * np.array([np.cos(hue), np.sin(hue)], np.float32)
        rise = rng.uniform(20, 35) if lightness < 35 else rng.uniform(-25, -8)
        painted[..., 0] += amount[..., 0] * rise
    soft = cv2.GaussianBlur(region.astype(np.float32), (0, 0), 1.0)
    # The edge of the thing itself is feathered later, when it is pasted: softened here, its old colour would show.
    weight = np.where(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0) < 0.99, np.maximum(soft, region), soft)
    mixed = lab + weight[..., None] * (painted - lab)
    return np.where((weight > 0)[..., None], from_lab(cv2, mixed), pixels)


def _colour_groups(lab: Lab, mask: BoolMask, rng: np.random.Generator) -> list[BoolMask]:
    """Return the colour clusters that make up a quarter of the thing or more; the thing itself if none does."""
    labels = np.full(mask.shape, -1)
    labels[mask] = cluster(lab[mask] * np.array([0.25, 1, 1], np.float32), _CLUSTERS, rng)
    groups = [labels == number for number in range(_CLUSTERS)]
    return [group for group in groups if group.sum() >= _LEAST_WHOLE * mask.sum()] or [mask]


def _parts(cv2: ModuleType, lab: Lab, mask: BoolMask, rng: np.random.Generator) -> list[BoolMask]:
    """Find connected parts of like colour and place."""
    rows, columns = np.nonzero(mask)
    side = max(int(np.ptp(rows)), int(np.ptp(columns)), 1)
    places = np.stack([rows, columns], axis=1).astype(np.float32) * (_POSITION_WEIGHT / side)
    colours = lab[mask] * np.array([0.5, 1, 1], np.float32)
    labels = np.full(mask.shape, -1)
    labels[mask] = cluster(np.hstack([colours, places]), _CLUSTERS + 1, rng)
    radius = max(1, round(0.008 * side))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    parts: list[BoolMask] = []
    for number in range(_CLUSTERS + 1):
        group = (labels == number).astype(np.uint8)
        smooth = cv2.morphologyEx(cv2.morphologyEx(group, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
        count, pieces = cv2.connectedComponents(smooth, connectivity=4)
        parts += [(pieces == piece) & mask for piece in range(1, count)]
    low, high = (share * mask.sum() for share in _PART_SHARES)
    return [part for part in parts if low <= part.sum() <= high]


def _contrast(cv2: ModuleType, lab: Lab, part: BoolMask, mask: BoolMask) -> float:
    """Return how much the thing's colour changes at a part's edge, CIE76."""
    grown, shrunk = dilate(cv2, part, 3) & mask & ~part, part & dilate(cv2, mask & ~part, 3)
    if not grown.any() or not shrunk.any():
        return 0.0
    return float(np.linalg.norm((lab[grown].mean(0) - lab[shrunk].mean(0)) * np.array([0.5, 1, 1])))
