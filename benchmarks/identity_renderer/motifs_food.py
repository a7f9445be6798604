"""Pictures of what one eats and drinks."""

from __future__ import annotations

import math

from identity_renderer.design import WHITE, mix
from identity_renderer.pictures import LEAF, STALK, Canvas, Painter, smooth

CREAM = (252, 246, 226)


def _apple(c: Canvas) -> None:
    c.ball(-0.25, -0.12, 0.6)
    c.ball(0.25, -0.12, 0.6)
    c.oval(0, -0.2, 0.5, 0.5, c.colour)
    c.oval(-0.35, 0.15, 0.16, 0.12, c.light)
    c.line([(0, 0.3), (0.06, 0.6), (0.16, 0.8)], STALK, 0.08)
    c.leaf(0.08, 0.55, 0.6, 25)


def _citrus(c: Canvas) -> None:
    c.oval(0, 0, 0.88, 0.88, c.colour)
    c.oval(0, 0, 0.78, 0.78, CREAM)
    for number in range(9):
        angle = math.tau * number / 9
        near = [(0.12 * math.cos(angle), 0.12 * math.sin(angle))]
        rim = [(0.7 * math.cos(angle + k), 0.7 * math.sin(angle + k)) for k in (-0.27, -0.14, 0, 0.14, 0.27)]
        c.polygon(near + rim, mix(c.colour, WHITE, 0.15))
        c.line([near[0], (0.5 * math.cos(angle), 0.5 * math.sin(angle))], c.light, 0.04)


def _half_citrus(c: Canvas) -> None:
    c.ball(-0.3, 0.2, 0.62)
    c.leaf(-0.3, 0.72, 0.55, 30)
    c.oval(0.35, -0.3, 0.55, 0.5, c.dark)
    c.oval(0.35, -0.28, 0.5, 0.45, CREAM)
    for number in range(8):
        angle = math.tau * number / 8
        c.oval(0.35 + 0.27 * math.cos(angle), -0.28 + 0.25 * math.sin(angle), 0.12, 0.11, mix(c.colour, WHITE, 0.2))


def _strawberry(c: Canvas) -> None:
    c.polygon(
        smooth([(0, -0.92), (-0.5, -0.35), (-0.68, 0.25), (-0.3, 0.55), (0.3, 0.55), (0.68, 0.25), (0.5, -0.35)]),
        c.colour,
    )
    c.polygon(smooth([(-0.2, -0.4), (-0.5, 0.2), (-0.3, 0.42), (-0.1, 0.1)]), c.light)
    for row in range(5):
        for column in range(-row // 2 - 1, row // 2 + 2):
            c.oval(column * 0.24 + (row % 2) * 0.12, -0.62 + row * 0.23, 0.03, 0.05, CREAM)
    for angle in (20, 60, 110, 150, 190, -10):
        c.leaf(0, 0.52, 0.45, angle)


def _berries(c: Canvas) -> None:
    for x, y in ((-0.4, -0.35), (0.42, -0.3), (0.02, 0.2), (0, -0.55), (-0.5, 0.25), (0.52, 0.3)):
        c.ball(x, y, 0.36)
        c.star(5, 0.12, 0.05, c.dark, x, y + 0.08)
    c.leaf(0.1, 0.5, 0.6, 50)
    c.leaf(0, 0.5, 0.6, 130)


def _cherries(c: Canvas) -> None:
    c.line([(-0.45, -0.2), (-0.2, 0.4), (0.2, 0.85)], STALK, 0.06)
    c.line([(0.45, -0.3), (0.4, 0.3), (0.2, 0.85)], STALK, 0.06)
    c.ball(-0.45, -0.4, 0.42)
    c.ball(0.45, -0.5, 0.42)
    c.leaf(0.2, 0.8, 0.7, 190)


def _grapes(c: Canvas) -> None:
    for row, count in enumerate((4, 5, 4, 3, 2, 1)):
        for k in range(count):
            c.ball((k - (count - 1) / 2) * 0.34, 0.4 - row * 0.25, 0.2)
    c.line([(0, 0.5), (0.05, 0.9)], STALK, 0.08)
    c.leaf(0, 0.65, 0.7, 20)


def _banana(c: Canvas) -> None:
    for shift in (0.0, 0.3):
        c.polygon(smooth([(-0.85, 0.5 - shift), (-0.4, -0.3 - shift), (0.4, -0.45 - shift), (0.9, 0.1 - shift),
                          (0.4, -0.1 - shift), (-0.3, 0.1 - shift)]), c.dark if shift else c.colour)  # fmt: skip
    c.line([(-0.85, 0.5), (-0.92, 0.7)], STALK, 0.1)


def _pear(c: Canvas) -> None:
    c.polygon(
        smooth([(0, -0.85), (-0.58, -0.5), (-0.45, 0.05), (-0.22, 0.45), (0.22, 0.45), (0.45, 0.05), (0.58, -0.5)]),
        c.dark,
    )
    c.polygon(
        smooth([(-0.05, -0.75), (-0.52, -0.48), (-0.35, 0.05), (-0.18, 0.4), (0.1, 0.4), (0.2, 0), (0.3, -0.5)]),
        c.colour,
    )
    c.line([(0, 0.5), (0.1, 0.85)], STALK, 0.08)
    c.leaf(0.05, 0.6, 0.5, 10)


def _tomato(c: Canvas) -> None:
    c.ball(0, -0.1, 0.8)
    for angle in (10, 80, 150, 215, 325):
        c.leaf(0, 0.45, 0.5, angle)


def _carrot(c: Canvas) -> None:
    c.polygon(smooth([(-0.05, -0.95), (-0.32, 0.2), (-0.2, 0.42), (0.2, 0.42), (0.32, 0.2)]), c.colour)
    for y in (-0.5, -0.15, 0.15):
        c.line([(-0.18, y), (0.05, y - 0.03)], c.dark, 0.04)
    for angle in (60, 90, 120):
        c.leaf(0, 0.4, 0.6, angle)


def _chilli(c: Canvas) -> None:
    c.polygon(smooth([(-0.85, -0.55), (-0.2, -0.45), (0.4, 0), (0.6, 0.45), (0.25, 0.5), (-0.1, -0.05)]), c.colour)
    c.polygon(smooth([(-0.4, -0.4), (0.2, 0), (0.42, 0.35), (0.2, 0.15)]), c.light)
    c.line([(0.42, 0.45), (0.55, 0.8)], LEAF, 0.12)


def _grain(c: Canvas) -> None:
    for x, lean in ((-0.4, -12), (0.0, 0), (0.4, 12)):
        slope = math.tan(math.radians(lean))
        c.line([(x * 0.3, -0.95), (x + slope * 0.6, 0.75)], c.dark, 0.05)
        for step in range(5):
            y = -0.1 + step * 0.2
            base = x * (0.55 + 0.1 * step)
            c.leaf(base, y, 0.34, 50 - lean, c.colour)
            c.leaf(base, y, 0.34, 130 - lean, c.light)


def _beans(c: Canvas) -> None:
    for x, y in ((-0.4, 0.3), (0.4, 0.35), (0, -0.05), (-0.4, -0.5), (0.42, -0.45)):
        c.oval(x, y, 0.38, 0.27, c.dark)
        c.oval(x - 0.03, y + 0.04, 0.32, 0.2, c.colour)
        c.line([(x - 0.3, y), (x - 0.1, y + 0.06), (x + 0.1, y - 0.06), (x + 0.32, y)], c.dark, 0.06)


def _cup(c: Canvas) -> None:
    c.oval(0, -0.72, 0.85, 0.16, c.light)
    c.oval(0.58, -0.1, 0.3, 0.28, c.dark)
    c.oval(0.58, -0.1, 0.18, 0.17, c.light)
    c.polygon([(-0.6, 0.25), (0.6, 0.25), (0.4, -0.55), (0.25, -0.68), (-0.25, -0.68), (-0.4, -0.55)], c.colour)
    c.oval(0, 0.25, 0.6, 0.14, c.dark)
    for x in (-0.25, 0.05, 0.35):
        c.line([(x, 0.5), (x + 0.08, 0.65), (x - 0.03, 0.8), (x + 0.05, 0.95)], c.light, 0.05)


def _splash(c: Canvas) -> None:
    heights = (0.2, 0.75, 0.25, 0.95, 0.3, 0.8, 0.2)
    crown = [(-0.75 + 0.25 * k, -0.25 + 0.8 * h) for k, h in enumerate(heights)]
    c.polygon(smooth([(-0.95, -0.4), *crown, (0.95, -0.4), (0.6, -0.75), (-0.6, -0.75)], 4), c.light)
    c.polygon(smooth([(-0.7, -0.45), (-0.3, -0.1), (0, 0.2), (0.3, -0.1), (0.7, -0.45), (0, -0.65)], 4), CREAM)
    c.oval(-0.5, 0.8, 0.08, 0.1, CREAM)
    c.oval(0.62, 0.75, 0.1, 0.1, c.light)


def _biscuits(c: Canvas) -> None:
    for x, y in ((0.3, 0.3), (-0.28, -0.22)):
        c.oval(x, y, 0.62, 0.6, c.dark)
        c.oval(x, y + 0.04, 0.58, 0.55, c.colour)
        for number in range(7):
            angle = number * 2.4
            reach = 0.12 + 0.05 * number
            c.oval(x + reach * math.cos(angle), y + reach * math.sin(angle), 0.07, 0.06, STALK)


def _chocolate(c: Canvas) -> None:
    for row in range(3):
        for column in range(3):
            x, y = column * 0.58 - 0.58, row * 0.58 - 0.58
            c.polygon([(x - 0.28, y - 0.28), (x + 0.28, y - 0.28), (x + 0.28, y + 0.28), (x - 0.28, y + 0.28)], c.dark)
            c.polygon([(x - 0.2, y - 0.16), (x + 0.18, y - 0.16), (x + 0.18, y + 0.22), (x - 0.2, y + 0.22)], c.colour)


def _mushroom(c: Canvas) -> None:
    c.polygon(smooth([(-0.25, -0.85), (-0.18, 0.1), (0.18, 0.1), (0.25, -0.85)]), CREAM)
    c.polygon(smooth([(-0.85, -0.05), (-0.6, 0.55), (0, 0.85), (0.6, 0.55), (0.85, -0.05), (0, -0.18)]), c.colour)
    for x, y in ((-0.4, 0.25), (0.1, 0.5), (0.45, 0.2)):
        c.oval(x, y, 0.12, 0.1, c.light)


FOOD: dict[str, Painter] = {
    "apple": _apple, "citrus": _citrus, "half_citrus": _half_citrus, "strawberry": _strawberry, "berries": _berries,
    "cherries": _cherries, "grapes": _grapes, "banana": _banana, "pear": _pear, "tomato": _tomato, "carrot": _carrot,
    "chilli": _chilli, "grain": _grain, "beans": _beans, "cup": _cup, "splash": _splash, "biscuits": _biscuits,
    "chocolate": _chocolate, "mushroom": _mushroom,
}  # fmt: skip
