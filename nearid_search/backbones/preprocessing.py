"""How pixels become a backbone's input, as a value that can be fingerprinted.

Resizing is done once, by Pillow, for every backbone: libraries disagree on what "bicubic" means, and two galleries made
with different filters must not be mixed. The result stays uint8 until the backbone normalises it, so a prepared image
is four times smaller on its way through the indexing pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.errors import BackboneError, ShapeError

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Plain resize to a square (no crop, aspect not kept), then ``(x / 255 - mean) / std`` per channel.

    The whole picture is kept because an object at its edge would be lost by a crop; NearID (arXiv 2604.01973) resizes
    the same way.

    Attributes:
        size: side of the square in pixels.
        filter: resampling filter; always antialiased when shrinking.
        mean: per-channel mean in [0, 1], RGB.
        std: per-channel standard deviation in (0, 1], RGB.
    """

    size: int
    filter: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_config(
        cls, size: Sequence[int], interpolation: str, mean: Sequence[float], std: Sequence[float]
    ) -> Preprocessing:
        """Make one from a library's description of a pretrained network.

        Args:
            size: (height, width) in pixels.
            interpolation: the library's name of the filter.
            mean: three values, RGB.
            std: three values, RGB.

        Returns:
            The preprocessing; whatever the library crops or pads, ours resizes the whole picture.

        Raises:
            BackboneError: if the input is not square or the filter is neither bilinear nor bicubic.
        """
        height, width = size
        if height != width:
            raise BackboneError(f"the network takes {height}x{width} images; only square ones are supported")
        if interpolation not in _FILTERS:
            raise BackboneError(f"the network wants {interpolation!r} resizing; supported are bilinear and bicubic")
        name: Literal["bilinear", "bicubic"] = "bilinear" if interpolation == "bilinear" else "bicubic"
        red, green, blue = mean
        red_std, green_std, blue_std = std
        return cls(size=height, filter=name, mean=(red, green, blue), std=(red_std, green_std, blue_std))

    def resize(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize one RGB image to the backbone's square.

        Args:
            pixels: (H, W, 3) uint8 RGB, H and W at least 1.

        Returns:
            (size, size, 3) uint8.

        Raises:
            ShapeError: if ``pixels`` is not (H, W, 3) uint8 with positive sides.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise ShapeError(f"pixels must be (H, W, 3) uint8 with H, W >= 1, got {pixels.shape} {pixels.dtype}")
        if pixels.shape[:2] == (self.size, self.size):
            return pixels
        resized = Image.fromarray(pixels).resize((self.size, self.size), _FILTERS[self.filter])
        return np.asarray(resized)

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn resized images into the network's input.

        Args:
            images: (B, size, size, 3) uint8 RGB.

        Returns:
            (B, 3, size, size) float32.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        self.check(images)
        scale = np.asarray([1.0 / (255.0 * s) for s in self.std], np.float32)
        offset = np.asarray([-m / s for m, s in zip(self.mean, self.std, strict=True)], np.float32)
        normalised = images.astype(np.float32) * scale + offset
        return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))

    def check(self, images: NDArray[np.uint8]) -> None:
        """Make sure that images are resized ones.

        Args:
            images: what should be (B, size, size, 3) uint8 RGB.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        if images.ndim != 4 or images.shape[1:] != (self.size, self.size, 3) or images.dtype != np.uint8:
            expected = f"(B, {self.size}, {self.size}, 3) uint8"
            raise ShapeError(f"images must be {expected}, got {images.shape} {images.dtype}")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)
