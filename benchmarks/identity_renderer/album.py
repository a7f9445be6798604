"""Photographs from packages that stand behind the things, and which split may use which."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LONGER_SIDE = 800
"""Photographs are reduced to this many pixels."""

# A photograph of the same place as another belongs to the same split.
_CAMPUS = {
    "train": (491, 493, 494, 495, 496, 497, 498, 499, 500, 501),
    "val": (503, 504, 505),
    "test": (506, 507, 509, 510, 512, 514, 515),
}
_HOLDOUT = {"train": (492,), "val": (502,), "test": (508, 511, 513)}
_OTHERS = {
    "train": (
        *("58060.png", "arucoboard.png", "building2-3.png", "butterfly.jpg", "church.jpg", "flowers1.png"),
        *("flowers2.png", "flowers3.png", "flowers4.png", "flowers6.png", "flowers8.png", "parks.png"),
        *("rocks2-l.png", "rocks2-r.png", "walls-l.png", "walls-r.png", "tomato_124.png", "tomato_35.png"),
        *("tomato_54.png", "yellowtargets.png", "greenscreen.png", "skimage/coffee.png", "skimage/rocket.jpg"),
    ),
    "val": ("flowers5.png", "notre-dame.png", "road.png", "image3.jpg"),
    "test": (
        *("eiffel-1.png", "eiffel-2.png", "flowers7.png", "flowers9.png", "lab-scene.png", "roof.png", "tags.png"),
        "skimage/motorcycle_left.png",
    ),
}
SOURCES = {"mvtb-data": "MIT", "scikit-image": "see the README of skimage.data"}
"""Licences of the photographs by the package that carries them."""


def photographs(split: str) -> tuple[str, ...]:
    """Return the names of the photographs of a split; no two splits share one."""
    campus = [f"campus/P1070{number}.png" for number in _CAMPUS[split]]
    holdout = [f"campus/holdout/P1070{number}.png" for number in _HOLDOUT[split]]
    return (*campus, *holdout, *_OTHERS[split])


@lru_cache(maxsize=64)
def load(name: str) -> NDArray[np.uint8]:
    """Read a photograph.

    Args:
        name: as `photographs` gives it.

    Returns:
        (H, W, 3) uint8, the longer side at most `LONGER_SIDE` pixels.

    Raises:
        ModuleNotFoundError: its package is not installed.
    """
    # Photographs of packages are large and trusted; Pillow's guard against bombs is not needed for them.
    Image.MAX_IMAGE_PIXELS = None
    if name.startswith("skimage/"):
        path = _folder("skimage") / "data" / name.removeprefix("skimage/")
    else:
        path = _folder("mvtbdata") / "images" / name
    with Image.open(path) as opened:
        photograph = opened.convert("RGB")
    photograph.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.BOX)
    return np.asarray(photograph)


def _folder(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module} is not installed: install identity_renderer/requirements.txt")
    return Path(spec.origin).parent
