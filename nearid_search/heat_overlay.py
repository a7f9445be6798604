"""A heat map laid over the picture it is of."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.explanation import Heat

FOR, AGAINST = (213, 94, 0), (0, 114, 178)  # told apart by colour-blind people, too
_STRONGEST = 0.75  # of the colour where the map is strongest


def overlay(pixels: NDArray[np.uint8], heat: Heat) -> NDArray[np.uint8]:
    """Colour a picture by a heat map.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        heat: (G, G) over the whole picture; positive is shown in ``FOR``, negative in ``AGAINST``, the strongest of
            either sign in full.

    Returns:
        (H, W, 3) uint8: the picture in grey, coloured.
    """
    values = np.asarray(heat, np.float32)
    strongest = float(np.abs(values).max()) or 1.0
    height, width = pixels.shape[:2]
    smooth = Image.fromarray(values / strongest).resize((width, height), Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(smooth, np.float32), -1, 1)[..., None]
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float32)[..., None]
    colour = np.where(strength > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    share = _STRONGEST * np.abs(strength)
    return np.rint((1 - share) * grey + share * colour).astype(np.uint8)


def overlay_jpeg(jpeg: bytes, heat: Heat) -> bytes:
    """Colour a JPEG of our own by a heat map; see ``overlay``."""
    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    buffer = BytesIO()
    Image.fromarray(overlay(pixels, heat)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
