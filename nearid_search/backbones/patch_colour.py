"""What colour each patch of a picture has, beside what a network makes of it.

Networks trained to recognise kinds of things learn to overlook colour: a red mug and a blue one are both mugs. They are
two things all the same, so plain statistics of the pixels go beside the learned tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone, BackboneSpec
from nearid_search.errors import ShapeError

OPPONENTS = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]], np.float32)
BIN_SPREAD = 0.15  # of a soft bin, as a fraction of the range of brightness
_BRIGHTNESS = (-0.35, 0.0, 0.35)
_HUES = 8
_CHROMA = 0.22  # from grey to the ring of bins, about that of painted and printed things

MEANS, SPREADS = 12, 3
BINS = len(_BRIGHTNESS) * (1 + _HUES)
GAIN = 2.0  # brings colours to about the size of a network's numbers
DIM = MEANS + SPREADS + BINS
"""Numbers a patch: means of four quarters, spreads and soft bins."""


class WithPatchColours:
    """A backbone of one token scale, each token followed by the colours of its patch.

    Args:
        network: gives the tokens, a square grid of patches; its readout stays what it is.
        spec: the network's, with ``DIM`` added to the width of its tokens.
        grid: patches a side.
    """

    def __init__(self, network: Backbone, spec: BackboneSpec, *, grid: int) -> None:
        self._network, self._spec, self._grid = network, spec, grid

    @property
    def spec(self) -> BackboneSpec:
        """What it computes."""
        return self._spec

    @property
    def network(self) -> Backbone:
        """What gives the tokens without colours."""
        return self._network

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self._grid

    @property
    def device(self) -> str:
        """Where the network runs."""
        return self._network.device

    def tokens(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Compute patch tokens; see ``Backbone.tokens``.

        Args:
            images: (B, S, S, 3) uint8, resized by ``spec.preprocessing``; B may be 0.

        Returns:
            One (B, N, D + DIM) float32 array.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        return (self._with_colours(self._network.tokens(images), images),)

    def pooled(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the network's own readout; see ``Backbone.pooled``.

        Args:
            images: (B, S, S, 3) uint8, resized by ``spec.preprocessing``; B may be 0.

        Returns:
            (B, spec.pooled_dim) float32.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        return self._network.pooled(images)

    def features(self, images: NDArray[np.uint8]) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]:
        """Compute tokens and the network's own readout; see ``Backbone.features``.

        Args:
            images: (B, S, S, 3) uint8, resized by ``spec.preprocessing``; B may be 0.

        Returns:
            What ``tokens`` and ``pooled`` give.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        tokens, pooled = self._network.features(images)
        return (self._with_colours(tokens, images),), pooled

    def _with_colours(self, tokens: tuple[NDArray[np.float32], ...], images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (scale,) = tokens
        return np.concatenate([scale, GAIN * patch_colours(images, grid=self._grid)], axis=2, dtype=np.float32)


def patch_colours(images: NDArray[np.uint8], *, grid: int) -> NDArray[np.float32]:
    """Describe the colour of every patch.

    Colours are sRGB values turned into brightness, red against green, and yellow against blue, all within ±0.5. A patch
    gives the mean colour of its four quarters, the standard deviation of its pixels, and how much of it falls into each
    of a fixed set of soft bins: pooled over an object these are the object's colour histogram, which means are not.

    Args:
        images: (B, S, S, 3) uint8 RGB, S a multiple of ``2 * grid``; B may be 0.
        grid: patches a side.

    Returns:
        (B, grid * grid, DIM) float32, patches row by row from the top left; the same for an image in any batch.

    Raises:
        ShapeError: if ``images`` has another shape or dtype.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or images.shape[1] != images.shape[2]:
        raise ShapeError(f"images must be (B, S, S, 3) uint8, got {images.shape} {images.dtype}")
    if images.shape[1] % (2 * grid):
        raise ShapeError(f"the side of the images must be a multiple of {2 * grid}, got {images.shape[1]}")
    described = [_describe(image, grid) for image in images]
    return np.stack(described) if described else np.zeros((0, grid * grid, DIM), np.float32)


def _describe(image: NDArray[np.uint8], grid: int) -> NDArray[np.float32]:
    side = len(image) // (2 * grid)
    colours = (image.astype(np.float32) / 255 - 0.5) @ OPPONENTS.T
    # (patch row, quarter row, pixel row, patch column, quarter column, pixel column, 3)
    blocks = colours.reshape(grid, 2, side, grid, 2, side, 3)
    quarters = blocks.mean(axis=(2, 5)).transpose(0, 2, 1, 3, 4).reshape(grid * grid, 4, 3)
    centred = blocks - blocks.mean(axis=(1, 2, 4, 5), keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=(1, 2, 4, 5))).reshape(grid * grid, 3)
    return np.concatenate([quarters.reshape(-1, MEANS), spread, _soft_bins(quarters).mean(axis=1)], axis=1)


def _soft_bins(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the shares (..., BINS) of colours (..., 3) in the bins, summing to 1."""
    centres = bin_centres()
    squares = (colours * colours).sum(axis=-1, keepdims=True)
    distances = squares - 2 * colours @ centres.T + (centres * centres).sum(axis=1)
    weights = np.exp(-distances / (2 * BIN_SPREAD**2))
    shares: NDArray[np.float32] = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def bin_centres() -> NDArray[np.float32]:
    """Return the colours (BINS, 3) of the soft bins: at three levels of brightness, grey and a ring of eight hues."""
    angles = 2 * np.pi * np.arange(_HUES) / _HUES
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * _CHROMA
    planes = np.concatenate([np.zeros((1, 2)), ring])
    return np.concatenate([np.insert(planes, 0, level, axis=1) for level in _BRIGHTNESS]).astype(np.float32)
