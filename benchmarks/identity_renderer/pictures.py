"""Pictures that labels carry, drawn from polygons and ellipses on a square of side 2, y up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from identity_renderer.design import WHITE, Ink, mix

Point = tuple[float, float]
LEAF: Ink = (74, 140, 52)
STALK: Ink = (96, 66, 40)


class Canvas:
    """A transparent square to draw shapes on, in coordinates from -1 to 1.

    Attributes:
        image: RGBA.
        colour: main colour of the picture.
        dark, light: its shades.
    """

    def __init__(self, side: int, colour: Ink) -> None:
        self.image = Image.new("RGBA", (side, side))
        self.colour = colour
        self.dark = mix(colour, (20, 10, 10), 0.42)
        self.light = mix(colour, WHITE, 0.5)
        self._draw = ImageDraw.Draw(self.image)
        self._half = side / 2

    def _at(self, point: Point) -> Point:
        return self._half * (1 + point[0]), self._half * (1 - point[1])

    def polygon(self, points: Sequence[Point], ink: Ink) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._at(point) for point in points], fill=ink)

    def line(self, points: Sequence[Point], ink: Ink, width: float) -> None:
        """Draw a line of a width in units."""
        self._draw.line([self._at(point) for point in points], ink, max(round(width * self._half), 1), joint="curve")

    def oval(self, x: float, y: float, wide: float, tall: float, ink: Ink) -> None:
        """Fill an ellipse by its centre and half axes."""
        self._draw.ellipse([*self._at((x - wide, y + tall)), *self._at((x + wide, y - tall))], fill=ink)

    def ball(self, x: float, y: float, radius: float, ink: Ink | None = None) -> None:
        """Fill a disc shaded as a sphere lit from the upper left."""
        base = ink or self.colour
        self.oval(x, y, radius, radius, mix(base, (20, 10, 10), 0.35))
        for step in range(1, 6):
            shrink, shift = 1 - 0.12 * step, 0.055 * step * radius
            ink_now = mix(mix(base, (20, 10, 10), 0.35), mix(base, WHITE, 0.35), step / 5)
            self.oval(x - shift, y + shift, radius * shrink, radius * shrink, ink_now)

    def leaf(self, x: float, y: float, length: float, angle: float, ink: Ink = LEAF) -> None:
        """Fill a pointed leaf that starts at a point and lies along an angle in degrees."""
        turn = math.radians(angle)
        outline = []
        for side in (1, -1):
            for step in range(9):
                along = step / 8 if side > 0 else 1 - step / 8
                off = side * 0.24 * math.sin(math.pi * along**0.8)
                outline.append((x + length * (along * math.cos(turn) - off * math.sin(turn)),
                                y + length * (along * math.sin(turn) + off * math.cos(turn))))  # fmt: skip
        self.polygon(outline, ink)
        tip = (x + length * 0.9 * math.cos(turn), y + length * 0.9 * math.sin(turn))
        self.line([(x, y), tip], mix(ink, WHITE, 0.35), 0.03)

    def star(self, points: int, outer: float, inner: float, ink: Ink, x: float = 0, y: float = 0) -> None:
        """Fill a star."""
        corners = []
        for number in range(points * 2):
            radius, angle = (inner if number % 2 else outer), math.pi * number / points + math.pi / 2
            corners.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
        self.polygon(corners, ink)


Painter = Callable[[Canvas], None]


def smooth(points: Sequence[Point], steps: int = 6) -> list[Point]:
    """Return a closed curve through points (Catmull-Rom)."""
    curve = []
    count = len(points)
    for number in range(count):
        a, b, c, d = (points[(number + k - 1) % count] for k in range(4))
        for step in range(steps):
            t = step / steps
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) / 2 for axis in (0, 1))
            curve.append((x, y))
    return curve


def draw_picture(painter: Painter, side: int, colour: Ink, turn: float = 0.0) -> Image.Image:
    """Return a picture as RGBA, turned by degrees, smoothed by drawing it twice as large."""
    canvas = Canvas(side * 2, colour)
    painter(canvas)
    image = canvas.image.rotate(turn, Image.Resampling.BILINEAR) if turn else canvas.image
    return image.resize((side, side), Image.Resampling.BOX)
