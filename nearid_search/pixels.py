"""Any Pillow mode to 8-bit RGB on white.

Pillow's own ``convert`` clips wide greys at 255 and drops alpha onto whatever colour the file hides under it; both
change what an encoder sees, so those two are done here.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_WIDE_GREYS = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(image: Image.Image, *, orientation: int = 1) -> NDArray[np.uint8]:
    """Turn a loaded picture into upright RGB bytes.

    Transparent parts become white. Wide greys are scaled by ``narrow_grey``. Embedded colour profiles are not applied:
    the numbers in the file are read as sRGB, so that the same bytes give the same pixels on every installation.

    Args:
        image: a loaded picture of any mode.
        orientation: EXIF orientation, 1 to 8; other values mean upright.

    Returns:
        (H, W, 3) uint8, C-contiguous and writable, H and W after orientation.
    """
    if image.mode in _WIDE_GREYS:
        image = _wide_grey_on_white(image)
    elif image.has_transparency_data:
        image = _on_white(image if image.mode == "RGBA" else image.convert("RGBA"))
    elif image.mode != "RGB":
        image = image.convert("RGB")
    if orientation in _TRANSPOSES:
        image = image.transpose(_TRANSPOSES[orientation])
    return np.array(image.convert("RGB"), dtype=np.uint8)


def narrow_grey(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale grey values of more than 8 bits to 0..255, rounding to nearest.

    Unsigned 16-bit data has a fixed white of 65535. Wider integers and floats do not say which number is white: the
    smallest usual white (1 for floats only, 255, 65535) that no value exceeds is taken; values beyond those, or below
    zero, are stretched from their minimum to their maximum. Not-a-number is black.

    Args:
        values: (H, W), unsigned 16-bit, 32-bit integer or float.

    Returns:
        (H, W) uint8.

    Example:
        >>> narrow_grey(np.array([[0, 257, 65535]], dtype=np.uint16)).tolist()
        [[0, 1, 255]]
        >>> narrow_grey(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)).tolist()
        [[0, 128, 255]]
    """
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    # Single precision is ample for 256 steps, and working in place keeps a large picture within its memory budget.
    real = np.nan_to_num(values.astype(np.float32), copy=False, nan=0.0)
    low, high = float(real.min()), float(real.max())
    usual = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    white = next((number for number in usual if high <= number), None)
    if low >= 0.0 and white is not None:
        low, high = 0.0, white
    if low == high:
        return np.zeros(real.shape, dtype=np.uint8)
    real /= 2  # halves, because the difference of the two largest floats is not a float
    real -= np.float32(low / 2)
    real /= np.float32(high / 2 - low / 2)
    real *= 255
    real += 0.5
    return real.astype(np.uint8)


def _wide_grey_on_white(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        values = values.astype(np.uint16)  # to the machine's byte order
    grey = narrow_grey(values)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def _on_white(image: Image.Image) -> Image.Image:
    background = Image.new("RGB", image.size, "white")
    background.paste(image, mask=image.getchannel("A"))
    return background
