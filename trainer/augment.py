"""Other looks of the same picture, decided by names alone, so that they can be cached like the picture itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.errors import ConfigError, ShapeError
from nearid_search.trainer.twins import ALL as ALL_TWINS

GREY = 128
"""What fills every place that shows nothing: beyond the border, and outside a mask."""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How variants of a picture differ from it. Hue is never changed: a thing in another colour is another thing.

    Attributes:
        twins: made-up identities beside each training identity, 0 to 11: all of its pictures in a mirror or with
            exchanged colour channels (see ``trainer.twins``). They have no variants.
        variants: cached beside each training image; 0 means none.
        flip: probability of a mirror image.
        jitter: largest relative change of brightness, and of contrast.
        shift: largest shift to each side, as a fraction of that side.
        scale: largest relative change of size.
        foreground: probability of grey everywhere outside the mask of a view, for the view and, on its own, for each of
            its distractors.
    """

    twins: int = 0
    variants: int = 0
    flip: float = 0.5
    jitter: float = 0.1
    shift: float = 0.1
    scale: float = 0.1
    foreground: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.twins <= len(ALL_TWINS):
            raise ConfigError(f"augment.twins must be 0 to {len(ALL_TWINS)}, got {self.twins}")
        if self.variants < 0:
            raise ConfigError(f"augment.variants must be 0 or more, got {self.variants}")
        for name in ("flip", "foreground"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"augment.{name} must be a probability from 0 to 1, got {getattr(self, name)}")
        for name in ("jitter", "shift", "scale"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"augment.{name} must be 0 or more and below 1, got {getattr(self, name)}")


def augment(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_] | None, *, config: AugmentConfig, key: str, variant: int
) -> NDArray[np.uint8]:
    """Make one variant of a picture; the same arguments give the same bytes in any order and process.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, true where the thing is; None if unknown.
        config: how far a variant may go.
        key: content key of the picture.
        variant: 0 is the picture itself.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ShapeError: if the shapes or dtypes are others.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ShapeError(f"pixels must be (H, W, 3) uint8 and not empty, got {pixels.shape} {pixels.dtype}")
    if mask is not None and (mask.shape != pixels.shape[:2] or mask.dtype != np.bool_):
        raise ShapeError(f"mask must be {pixels.shape[:2]} bool as the picture, got {mask.shape} {mask.dtype}")
    if variant == 0:
        return pixels
    # All are drawn whatever the settings, so that changing one leaves the rest of a variant as it was.
    flip, brightness, contrast, right, down, size, foreground = _uniforms(f"{key}/{variant}")[:7]
    changed = _jittered(pixels, 1 + config.jitter * (2 * brightness - 1), 1 + config.jitter * (2 * contrast - 1))
    if mask is not None and foreground < config.foreground:
        changed = np.where(mask[..., None], changed, np.uint8(GREY))
    height, width = pixels.shape[:2]
    # Whole pixels, so that a shift alone blurs nothing.
    offset = round(config.shift * (2 * right - 1) * width), round(config.shift * (2 * down - 1) * height)
    moved = _moved(changed, offset, 1 + config.scale * (2 * size - 1))
    return np.ascontiguousarray(moved[:, ::-1]) if flip < config.flip else moved


def _uniforms(text: str) -> list[float]:
    """Return eight numbers in [0, 1); from a digest, because no library promises its generators for ever."""
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), "<u4")
    numbers: list[float] = (words / 2.0**32).tolist()
    return numbers


def _jittered(pixels: NDArray[np.uint8], brightness: float, contrast: float) -> NDArray[np.uint8]:
    """Stretch values about their mean, then multiply; one mean for all three channels keeps the hue."""
    values = brightness * (contrast * (np.arange(256) - pixels.mean()) + pixels.mean())
    table: NDArray[np.uint8] = np.rint(values).clip(0, 255).astype(np.uint8)
    return table[pixels]


def _moved(pixels: NDArray[np.uint8], offset: tuple[int, int], factor: float) -> NDArray[np.uint8]:
    """Enlarge about the centre, then shift right and down."""
    if offset == (0, 0) and factor == 1:
        return pixels
    height, width = pixels.shape[:2]
    # Pillow asks where each place of the result comes from.
    left, top = (side / 2 - (side / 2 + by) / factor for side, by in zip((width, height), offset, strict=True))
    moved = Image.fromarray(pixels).transform(
        (width, height),
        Image.Transform.AFFINE,
        (1 / factor, 0, left, 0, 1 / factor, top),
        resample=Image.Resampling.BILINEAR,
        fillcolor=(GREY, GREY, GREY),
    )
    return np.array(moved)
