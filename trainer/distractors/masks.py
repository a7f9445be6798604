"""Where the thing is in a view: from the user, or from a network, refined at the picture's own edges."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.errors import DatasetError
from nearid_search.images import read_image
from nearid_search.opencv_extra import import_cv2
from nearid_search.saliency import (
    SaliencyNetwork,
    find_u2net,
    open_backbone_saliency,
    open_u2net,
)
from nearid_search.trainer.distractors.rejection import Rejection

MaskModel = Literal["auto", "saliency", "u2net"]
BoolMask = NDArray[np.bool_]

_SMALLEST_SHARE, _LARGEST_SHARE = 0.01, 0.8
_SMALLEST_SIDE = 16  # pixels
_USER_BORDER, _NETWORK_BORDER = 0.5, 0.06  # a thing may go on beyond the frame; what runs along it is background
_LEVELS = 2  # the next valley may lie inside the thing
_LARGEST_SPECK = 0.1  # of the largest component
_LEAST_CONTRAST = 0.15  # of the mean saliency inside and outside
_GRABCUT_SIDE = 384  # pixels; more costs seconds and moves no edge by a pixel of a training picture
_GRABCUT_ROUNDS = 4
_LEAST_AGREEMENT = 0.6  # intersection over union of the network's mask and its refinement


class Mask(NamedTuple):
    """The thing's place in one picture.

    Attributes:
        pixels: (H, W) bool, true where the thing is.
        origin: "user", "u2net", "saliency+grabcut" or "saliency" where the refinement lost the thing.
    """

    pixels: BoolMask
    origin: str


class MaskFinder:
    """Finds the mask of each view: the user's if there is one, else the network's.

    Args:
        folder: the user's masks. It mirrors the catalogue, each mask a PNG under its picture's name:
            ``chair/front.jpg`` has ``chair/front.png``. White is the thing. None if there are none.
        model: the network for all other views; "auto": U²-Net if its file is on the machine, else the saliency output
            of the default backbone's network.

    Raises:
        DatasetError: if ``folder`` is no folder.
        MissingExtraError: if OpenCV is not installed.
        WeightsError: if the network's file is missing or not the expected one.
    """

    def __init__(self, folder: Path | None = None, model: MaskModel = "auto") -> None:
        if folder is not None and not folder.is_dir():
            raise DatasetError(f"{folder} is no folder: --masks takes one that mirrors the catalogue, with PNG files")
        self._cv2 = import_cv2()
        self._folder = folder
        self._network = _open_network(model)

    def find(self, path: str, pixels: NDArray[np.uint8]) -> Mask | Rejection:
        """Find the mask of one view.

        Args:
            path: of the picture, relative to the catalogue.
            pixels: (H, W, 3) uint8 RGB.

        Returns:
            The mask, or why there is none.

        Raises:
            UnreadableImageError: if the user's mask cannot be read.
        """
        found = self._user_mask(path, pixels.shape[:2])
        if found is None:
            return self._network_mask(pixels)
        if isinstance(found, Rejection):
            return found
        problem = find_problem(found.pixels, most_border=_USER_BORDER)
        return Rejection(f"user mask {problem}") if problem else found

    def _user_mask(self, path: str, shape: tuple[int, ...]) -> Mask | Rejection | None:
        file = None if self._folder is None else (self._folder / path).with_suffix(".png")
        if file is None or not file.is_file():
            return None
        grey = Image.fromarray(read_image(file).pixels).convert("L")
        if abs(grey.width * shape[0] / (grey.height * shape[1]) - 1) > 0.02:
            return Rejection("user mask has another shape than its picture")
        return Mask(np.asarray(grey.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)) > 127, "user")

    def _network_mask(self, pixels: NDArray[np.uint8]) -> Mask | Rejection:
        """Cut the saliency at its valley; if that takes in some background, at the next valley above."""
        saliency = self._network(pixels)
        rough, problem = np.ones(saliency.shape, np.bool_), ""
        for _ in range(_LEVELS):
            rough = rough & (saliency > self._valley(saliency[rough]))
            if not rough.any() or saliency[rough].mean() - saliency[~rough].mean() < _LEAST_CONTRAST:
                return Rejection(f"{self._network.name} mask {problem}" if problem else "nothing stands out")
            mask = self._refined(pixels, saliency, rough)
            problem = find_problem(mask.pixels, most_border=_NETWORK_BORDER) or ""
            if not problem:
                return mask
        return Rejection(f"{self._network.name} mask {problem}")

    def _valley(self, saliency: NDArray[np.float32]) -> float:
        values = np.rint(saliency * 255).astype(np.uint8)
        return float(self._cv2.threshold(values, 0, 255, self._cv2.THRESH_BINARY + self._cv2.THRESH_OTSU)[0]) / 255

    def _refined(self, pixels: NDArray[np.uint8], saliency: NDArray[np.float32], rough: BoolMask) -> Mask:
        cleaned = clean(self._cv2, rough)
        if self._network.name == "u2net":  # its edges are finer than colours can make them
            return Mask(cleaned, "u2net")
        refined = clean(self._cv2, refine(self._cv2, pixels, saliency, rough))
        agreement = (refined & cleaned).sum() / max((refined | cleaned).sum(), 1)
        return Mask(refined, "saliency+grabcut") if agreement >= _LEAST_AGREEMENT else Mask(cleaned, "saliency")


def find_problem(mask: BoolMask, *, most_border: float) -> str | None:
    """Say what makes a mask implausible; None if nothing does.

    Args:
        mask: (H, W) bool.
        most_border: share of the picture's border that it may cover, in [0, 1].
    """
    share = float(mask.mean())
    if share < _SMALLEST_SHARE:
        return "covers less than 1 % of the picture"
    if share > _LARGEST_SHARE:
        return "covers more than 80 % of the picture"
    left, top, right, bottom = bounding_box(mask)
    if min(right - left, bottom - top) < _SMALLEST_SIDE:
        return "is thinner than 16 pixels"
    if border_share(mask) > most_border:
        return "runs along the picture's border"
    return None


def bounding_box(mask: BoolMask) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is true in an (H, W) bool mask, right and bottom not included."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def border_share(mask: BoolMask) -> float:
    """Return the share of the picture's outermost pixels that an (H, W) bool mask covers."""
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())


def refine(cv2: ModuleType, pixels: NDArray[np.uint8], saliency: NDArray[np.float32], rough: BoolMask) -> BoolMask:
    """Move the edges of a rough mask to the picture's own, by GrabCut.

    Args:
        cv2: the module.
        pixels: (H, W, 3) uint8 RGB.
        saliency: (H, W) float32 in [0, 1].
        rough: (H, W) bool with true and false in it.

    Returns:
        (H, W) bool.
    """
    height, width = rough.shape
    scale = min(1, _GRABCUT_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    inside = cv2.resize(rough.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    salient = cv2.resize(saliency, size)
    reach = max(3, round(0.03 * max(size)))
    labels = np.full(inside.shape, cv2.GC_BGD, np.uint8)
    labels[dilate(cv2, inside, reach)] = cv2.GC_PR_BGD
    labels[inside] = cv2.GC_PR_FGD
    core = ~dilate(cv2, ~inside, reach // 2) & (salient > 0.4 * salient[~inside].mean() + 0.6 * salient[inside].mean())
    labels[core] = cv2.GC_FGD
    if core.any() and (labels == cv2.GC_BGD).any():
        cv2.setRNGSeed(0)  # its mixture models start at random
        small = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)[..., ::-1])
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, labels, None, *models, _GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    kept = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    refined: BoolMask = cv2.resize(kept, (width, height)) > 0.5
    return refined


def clean(cv2: ModuleType, mask: BoolMask) -> BoolMask:
    """Drop specks and fill pinholes of an (H, W) bool mask; real holes, as in a handle, stay."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    kept: BoolMask = (areas >= _LARGEST_SPECK * areas.max())[labels]
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    pinholes = stats[:, cv2.CC_STAT_AREA] < 0.005 * kept.sum()
    pinholes[0] = False
    cleaned: BoolMask = kept | pinholes[labels]
    return cleaned


def dilate(cv2: ModuleType, mask: BoolMask, radius: int) -> BoolMask:
    """Grow an (H, W) bool mask by a disc of ``radius`` pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    grown: BoolMask = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    return grown


def _open_network(model: MaskModel) -> SaliencyNetwork:
    if model == "u2net" or (model == "auto" and find_u2net() is not None):
        return open_u2net()
    return open_backbone_saliency()
