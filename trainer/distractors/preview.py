"""One picture by which a person can judge a dataset: views, their masks and their distractors, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from nearid_search.images import read_image
from nearid_search.trainer.distractors.config import SOURCES

_TILE, _GAP, _HEADER, _CAPTION = 176, 4, 20, 16
_OUTLINE = (255, 0, 200)


class PreviewRow(NamedTuple):
    """One view.

    Attributes:
        original: the catalogue's picture.
        folder: of the view in the dataset.
        caption: what it is.
    """

    original: Path
    folder: Path
    caption: str


def draw_preview(rows: Sequence[PreviewRow]) -> bytes:
    """Draw the sheet: the original, the positive with its mask's outline, then one distractor of each source.

    Args:
        rows: the views to show, at least one; three stand side by side where there are many.

    Returns:
        A PNG file.

    Raises:
        UnreadableImageError: if a picture has gone.
    """
    columns = 1 if len(rows) <= 8 else 2
    titles = ("original", "positive", "mask", *SOURCES)
    width = len(titles) * (_TILE + _GAP) + _GAP
    height = _TILE + _CAPTION + _GAP
    sheet = Image.new("RGB", (columns * width, _HEADER + math.ceil(len(rows) / columns) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for column in range(columns):
        for number, title in enumerate(titles):
            draw.text((column * width + _GAP + number * (_TILE + _GAP), 4), title, fill="black")
    for place, row in enumerate(rows):
        left, top = place % columns * width + _GAP, _HEADER + place // columns * height
        for number, tile in enumerate(_tiles(row)):
            if tile is not None:
                sheet.paste(tile, (left + number * (_TILE + _GAP), top))
        draw.text((left, top + _TILE + 1), row.caption, fill="dimgray")
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _tiles(row: PreviewRow) -> list[Image.Image | None]:
    positive = _open(row.folder / "positive.jpg")
    mask = _open(row.folder / "mask.png")
    outlined = None
    if positive is not None and mask is not None:
        edge = np.asarray(mask.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(3))) > 60
        outlined = Image.fromarray(np.where(edge[..., None], np.array(_OUTLINE, np.uint8), np.asarray(positive)))
    distractors = [_open(row.folder / f"distractor-{source}.jpg") for source in SOURCES]
    return [None if image is None else _fit(image) for image in (_open(row.original), positive, outlined, *distractors)]


def _open(path: Path) -> Image.Image | None:
    return Image.fromarray(read_image(path).pixels) if path.is_file() else None


def _fit(image: Image.Image) -> Image.Image:
    tile = Image.new("RGB", (_TILE, _TILE), "lightgray")
    image.thumbnail((_TILE, _TILE))
    tile.paste(image, ((_TILE - image.width) // 2, (_TILE - image.height) // 2))
    return tile
