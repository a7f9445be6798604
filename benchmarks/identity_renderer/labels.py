"""Draws what is printed on a package."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from identity_renderer.design import WHITE, Design
from identity_renderer.fronts import draw_cover, draw_front
from identity_renderer.palette import ground_of
from identity_renderer.panels import draw_back, draw_parcel_label, draw_plate, draw_side, draw_spine, draw_top
from identity_renderer.pieces import Print

LONGEST = 1024
"""Pixels of the longer side of a print."""

_SHORTEST = 64

Draw = Callable[[Image.Image, Design], None]

PANELS: dict[str, Draw] = {
    "front": draw_front,
    "cover": draw_cover,
    "side": draw_side,
    "back": draw_back,
    "top": draw_top,
    "spine": draw_spine,
    "parcel": draw_parcel_label,
    "plate": draw_plate,
}
"""What draws a panel, by its name; "pages" stays the white of paper."""


def draw_print(wanted: Print, design: Design) -> NDArray[np.uint8]:
    """Return a printed area as (height, width, 3) sRGB, its longer side `LONGEST` pixels."""
    width = LONGEST if wanted.aspect >= 1 else max(round(LONGEST * wanted.aspect), _SHORTEST)
    height = LONGEST if wanted.aspect < 1 else max(round(LONGEST / wanted.aspect), _SHORTEST)
    image = Image.new("RGB", (width, height), ground_of(design))
    drawn: dict[tuple[str, int], Image.Image] = {}
    for name, start, stop in wanted.panels:
        size = max(round((stop - start) * width), 1), height
        if (name, size[0]) not in drawn:
            panel = Image.new("RGB", size, WHITE)
            if size[0] >= 8 and name != "pages":
                PANELS[name](panel, design)
            drawn[name, size[0]] = panel
        left = round(start * width)
        image.paste(drawn[name, size[0]], (left, 0))
        if stop > 1:
            image.paste(drawn[name, size[0]], (left - width, 0))
    return np.array(image)
