"""Text as a mask of a wanted size: fitted, sheared, bent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from identity_renderer.design import Ink
from identity_renderer.typefaces import load_font

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Lettering:
    """How a line of text is set.

    Attributes:
        face: name of the typeface.
        ink: its colour.
        outline: colour of the outline; None without.
        slant: shear, 0 upright.
        arc: height of the bend as a share of the width, negative for a smile.
        align: 0 left, 0.5 centred, 1 right.
    """

    face: str
    ink: Ink
    outline: Ink | None = None
    slant: float = 0.0
    arc: float = 0.0
    align: float = 0.5


def _fitting_size(text: str, face: str, width: float, height: float) -> int:
    """Return the largest size at which a line fits."""
    left, top, right, bottom = load_font(face, 64).getbbox(text)
    return max(int(64 * min(width / max(right - left, 1), height / max(bottom - top, 1))), 4)


def _mask(text: str, style: Lettering, width: int, height: int) -> tuple[Image.Image, Image.Image | None]:
    """Return the letters and their outline as 8-bit masks cut to the text."""
    room = width / (1 + abs(style.slant) * 0.3), height / (1 + abs(style.arc) * 2)
    size = _fitting_size(text, style.face, *room)
    stroke = max(size // 14, 1) if style.outline else 0
    font = load_font(style.face, max(size - 2 * stroke, 4))
    left, top, right, bottom = (round(value) for value in font.getbbox(text, stroke_width=stroke))
    shape, offset = (max(right - left, 1), max(bottom - top, 1)), (-left, -top)
    letters = Image.new("L", shape)
    ImageDraw.Draw(letters).text(offset, text, fill=255, font=font)
    if not stroke:
        return letters, None
    border = Image.new("L", shape)
    ImageDraw.Draw(border).text(offset, text, fill=255, font=font, stroke_width=stroke)
    return letters, border


def _shear(mask: Image.Image, slant: float) -> Image.Image:
    extra = round(abs(slant) * mask.height)
    data = (1, slant, -max(slant, 0) * mask.height, 0, 1, 0)
    size = mask.width + extra, mask.height
    return mask.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


def _bend(mask: Image.Image, arc: float) -> Image.Image:
    """Shift the columns of a mask along a parabola."""
    pixels = np.asarray(mask)
    rise = round(abs(arc) * mask.width / 2)
    place = np.linspace(-1, 1, mask.width) ** 2
    shift = np.round((place if arc > 0 else 1 - place) * rise).astype(int)
    rows = np.arange(mask.height + rise)[:, None] - shift
    inside = (rows >= 0) & (rows < mask.height)
    return Image.fromarray(np.where(inside, pixels[np.clip(rows, 0, mask.height - 1), np.arange(mask.width)], 0))


def draw_text(image: Image.Image, box: Box, text: str, style: Lettering) -> None:
    """Draw one line as large as a box allows; a box too small for letters stays empty."""
    width, height = box[2] - box[0], box[3] - box[1]
    if width < 4 or height < 4 or not text:
        return
    letters, border = _mask(text, style, width, height)
    for mask, ink in ((border, style.outline), (letters, style.ink)):
        if mask is None or ink is None:
            continue
        turned = _shear(mask, style.slant) if style.slant else mask
        turned = _bend(turned, style.arc) if style.arc else turned
        scale = min(width / turned.width, height / turned.height, 1)
        if scale < 1:
            turned = turned.resize((max(int(turned.width * scale), 1), max(int(turned.height * scale), 1)))
        x = box[0] + round((width - turned.width) * style.align)
        y = box[1] + (height - turned.height) // 2
        image.paste(ink, (x, y, x + turned.width, y + turned.height), turned)


def draw_upright(image: Image.Image, box: Box, text: str, style: Lettering) -> None:
    """Draw one line that reads from bottom to top."""
    width, height = box[2] - box[0], box[3] - box[1]
    if width < 4 or height < 4:
        return
    strip = image.crop(box).transpose(Image.Transpose.ROTATE_270)
    draw_text(strip, (0, 0, height, width), text, style)
    image.paste(strip.transpose(Image.Transpose.ROTATE_90), box)


def draw_lines(image: Image.Image, box: Box, lines: list[str], face: str, ink: Ink) -> None:
    """Draw small print as a block, one size for all lines, from the left."""
    width, height = box[2] - box[0], box[3] - box[1]
    if width < 12 or height < 8 or not lines:
        return
    step = height / len(lines)
    longest = max(lines, key=len)
    font = load_font(face, min(_fitting_size(longest, face, width, step), max(int(step * 0.9), 4)))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((box[0], box[1] + number * step), line, fill=ink, font=font)
