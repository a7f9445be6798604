"""A package as pieces of one material each, some of them printed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from identity_renderer.solids import Section, Surface

Panel = tuple[str, float, float]
"""What is printed, by its name in `labels.PANELS`, from u to u; beyond 1 it goes on from 0."""


@dataclass(frozen=True)
class Print:
    """A printed area.

    Attributes:
        panels: what is printed where.
        aspect: width over height.
    """

    panels: tuple[Panel, ...]
    aspect: float


@dataclass(frozen=True, eq=False)
class Piece:
    """A surface of one material.

    Attributes:
        name: of the material.
        surface: its triangles.
        paint: "body" or "cap": which of the form's colours it has where it is not printed.
        print: what it carries; None if plain.
        gloss: 0 matt to 1 mirror-like.
    """

    name: str
    surface: Surface
    paint: str
    print: Print | None = None
    gloss: float = 0.3


Build = Callable[[tuple[float, ...]], list[Piece]]
"""Makes the pieces of a kind of package from eight numbers 0 to 1."""


def between(low: float, high: float, share: float) -> float:
    """Return the number that lies `share` of the way from low to high."""
    return low + (high - low) * share


def perimeter(section: Section) -> float:
    """Return the length of the edge of a section, exact for circular corners."""
    return 4 * (section.x + section.z) - (4 - math.pi) * (section.corner_x + section.corner_z)


def wrap(section: Section, height: float, front: float = 0.0) -> Print:
    """Return the print that goes round a section: front in the middle, sides beside it, a second front or small print.

    `front` is the share of the way round that the front takes; 0 reads it from the section, as a box has it.
    """
    around = perimeter(section)
    share = front or section.x / (section.x + section.z) / 2
    left, right = 0.5 - share / 2, 0.5 + share / 2
    side = 0.5 - share if not front else (1 - share) / 2
    panels: list[Panel] = [("front", left, right), ("side", right, right + side), ("back", left - side, left)]
    if not front:
        panels.append(("front", right + side, right + side + share))
    return Print(tuple(panels), around / height)


def whole(panel: str, aspect: float) -> Print:
    """Return the print of a single panel."""
    return Print(((panel, 0.0, 1.0),), aspect)
