"""What a camera does to a picture: focus, shake, exposure, white balance, grain and JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from identity_renderer.mesh import make_generator
from identity_renderer.surfaces import Picture


@dataclass(frozen=True)
class Exposure:
    """The state of a camera; a view and its distractors share one, grain included.

    Attributes:
        gain: factor on the light; 1 changes nothing.
        warmth: -1 blue to 1 yellow white balance.
        tint: -1 green to 1 magenta.
        contrast: factor around middle grey.
        saturation: factor on colourfulness.
        vignette: 0 to 1, how dark the corners are.
        defocus: radius in pixels.
        shake: length of a motion blur in pixels.
        shake_angle: its direction in radians.
        grain: deviation of the noise at full light, in levels of 255.
        quality: of the JPEG, 1 to 95.
        seed: of the grain.
    """

    gain: float
    warmth: float
    tint: float
    contrast: float
    saturation: float
    vignette: float
    defocus: float
    shake: float
    shake_angle: float
    grain: float
    quality: int
    seed: str


def develop(picture: Picture, exposure: Exposure) -> bytes:
    """Take the photograph of a scene.

    Args:
        picture: (S, S, 3) float32, sRGB 0 to 255.
        exposure: the camera's state.

    Returns:
        The bytes of a JPEG.
    """
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if exposure.defocus >= 0.2:
        image = image.filter(ImageFilter.GaussianBlur(exposure.defocus))
    seen = _shaken(np.asarray(image, dtype=np.float32), exposure) / 255
    seen *= _balance(exposure) * _vignette(seen.shape[0], exposure.vignette)
    grey = seen @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    seen = grey[:, :, None] + (seen - grey[:, :, None]) * np.float32(exposure.saturation)
    seen = 0.5 + (seen - 0.5) * np.float32(exposure.contrast)
    rng = make_generator(exposure.seed, "grain")
    # Light arrives in quanta: the deviation grows with the root of the level, above a floor from the electronics.
    deviation = exposure.grain / 255 * np.sqrt(0.15 + np.clip(seen, 0, 1))
    seen += deviation * rng.standard_normal(seen.shape, dtype=np.float32)
    developed = Image.fromarray((np.clip(seen, 0, 1) * 255 + 0.5).astype(np.uint8))
    buffer = io.BytesIO()
    developed.save(buffer, "JPEG", quality=exposure.quality)
    return buffer.getvalue()


def _shaken(picture: Picture, exposure: Exposure) -> Picture:
    """Average the picture along a short path."""
    steps = round(exposure.shake)
    if steps < 2:
        return picture
    path = np.linspace(-exposure.shake / 2, exposure.shake / 2, steps)
    shifts = {(round(s * np.sin(exposure.shake_angle)), round(s * np.cos(exposure.shake_angle))) for s in path}
    margin = steps
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    size = picture.shape[0]
    total = np.zeros_like(picture)
    for down, right in sorted(shifts):
        total += padded[margin + down : margin + down + size, margin + right : margin + right + size]
    return total / np.float32(len(shifts))


def _balance(exposure: Exposure) -> Picture:
    gains = [1 + 0.12 * exposure.warmth, 1 - 0.06 * exposure.tint, 1 - 0.12 * exposure.warmth]
    return np.array(gains, dtype=np.float32) * np.float32(exposure.gain)


def _vignette(size: int, strength: float) -> Picture:
    steps = np.linspace(-1, 1, size, dtype=np.float32)
    reach = (steps[:, None] ** 2 + steps[None, :] ** 2) / 2
    darkened: Picture = (1 - np.float32(strength) * reach ** np.float32(1.5))[:, :, None].astype(np.float32)
    return darkened
