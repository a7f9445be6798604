"""Pictures of nature, animals, tools and plain signs."""

from __future__ import annotations

import math

from identity_renderer.design import WHITE, mix
from identity_renderer.pictures import Canvas, Painter, smooth


def _star(c: Canvas) -> None:
    c.star(5, 0.95, 0.42, c.dark)
    c.star(5, 0.8, 0.35, c.colour)


def _sun(c: Canvas) -> None:
    c.star(14, 0.95, 0.6, c.light)
    c.ball(0, 0, 0.52)


def _mountain(c: Canvas) -> None:
    c.polygon([(-0.95, -0.6), (-0.35, 0.45), (0.25, -0.6)], c.dark)
    c.polygon([(-0.4, -0.6), (0.3, 0.8), (0.95, -0.6)], c.colour)
    c.polygon([(0.1, 0.4), (0.3, 0.8), (0.5, 0.38), (0.36, 0.46), (0.28, 0.3), (0.2, 0.46)], WHITE)
    c.polygon([(-0.95, -0.6), (0.95, -0.6), (0.8, -0.75), (-0.8, -0.75)], c.light)


def _flower(c: Canvas) -> None:
    for number in range(8):
        angle = math.tau * number / 8
        c.oval(0.52 * math.cos(angle), 0.52 * math.sin(angle), 0.3, 0.3, c.colour if number % 2 else c.light)
    c.ball(0, 0, 0.3, (240, 190, 50))


def _leaves(c: Canvas) -> None:
    c.line([(-0.5, -0.95), (0, 0), (0.1, 0.5)], c.dark, 0.06)
    for x, y, angle in ((-0.1, -0.2, 15), (-0.2, -0.4, 160), (0, 0.05, 140), (0.08, 0.35, 60), (-0.4, -0.75, 5)):
        c.leaf(x, y, 0.75, angle, c.colour)


def _drop(c: Canvas) -> None:
    c.polygon(
        smooth(
            [
                (0, 0.98),
                (-0.3, 0.35),
                (-0.58, -0.25),
                (-0.4, -0.75),
                (0, -0.92),
                (0.4, -0.75),
                (0.58, -0.25),
                (0.3, 0.35),
            ]
        ),
        c.colour,
    )
    c.polygon(smooth([(-0.3, -0.1), (-0.4, -0.4), (-0.2, -0.7), (-0.25, -0.4)]), c.light)


def _waves(c: Canvas) -> None:
    for row in range(4):
        line = [(-0.95 + 0.1 * k, 0.6 - row * 0.4 + 0.14 * math.sin(k * 0.95)) for k in range(20)]
        c.line(line, (c.colour, c.light, c.dark, c.colour)[row], 0.16)


def _snowflake(c: Canvas) -> None:
    for number in range(6):
        angle = math.tau * number / 6
        c.line([(0, 0), (0.9 * math.cos(angle), 0.9 * math.sin(angle))], c.colour, 0.1)
        for side in (-0.5, 0.5):
            start = (0.5 * math.cos(angle), 0.5 * math.sin(angle))
            c.line(
                [start, (start[0] + 0.3 * math.cos(angle + side), start[1] + 0.3 * math.sin(angle + side))],
                c.colour,
                0.08,
            )


def _honeycomb(c: Canvas) -> None:
    for row in range(-1, 2):
        for column in range(-1, 2 - abs(row)):
            x, y = column * 0.58 + abs(row) * 0.29, row * 0.5
            for radius, ink in ((0.33, c.dark), (0.26, c.colour if (row + column) % 2 else c.light)):
                c.polygon(
                    [
                        (x + radius * math.sin(k * math.pi / 3), y + radius * math.cos(k * math.pi / 3))
                        for k in range(6)
                    ],
                    ink,
                )


def _cow(c: Canvas) -> None:
    c.polygon(smooth([(-0.75, 0.3), (-0.6, -0.15), (0.3, -0.2), (0.5, 0.05), (0.55, 0.4), (0, 0.38)]), c.colour)
    for x in (-0.65, -0.45, 0.15, 0.32):
        c.polygon([(x, 0), (x + 0.12, 0), (x + 0.1, -0.7), (x + 0.02, -0.7)], c.dark)
    c.polygon(smooth([(0.45, 0.55), (0.75, 0.6), (0.92, 0.2), (0.8, 0.1), (0.6, 0.25)]), c.colour)
    c.oval(-0.3, 0.12, 0.2, 0.13, WHITE)
    c.oval(0.2, 0.2, 0.14, 0.1, WHITE)
    c.line([(-0.74, 0.25), (-0.85, -0.3)], c.dark, 0.06)


def _cat(c: Canvas) -> None:
    c.polygon([(-0.7, 0.9), (-0.75, 0.1), (-0.15, 0.5)], c.colour)
    c.polygon([(0.7, 0.9), (0.75, 0.1), (0.15, 0.5)], c.colour)
    c.oval(0, -0.05, 0.78, 0.66, c.colour)
    for side in (-1, 1):
        c.oval(side * 0.3, 0.1, 0.15, 0.17, WHITE)
        c.oval(side * 0.3, 0.1, 0.07, 0.14, (20, 20, 20))
        c.line([(side * 0.25, -0.28), (side * 0.95, -0.2)], c.dark, 0.03)
        c.line([(side * 0.25, -0.34), (side * 0.9, -0.42)], c.dark, 0.03)
    c.polygon([(-0.1, -0.15), (0.1, -0.15), (0, -0.28)], c.dark)


def _fish(c: Canvas) -> None:
    c.polygon([(0.4, 0), (0.95, 0.45), (0.85, 0), (0.95, -0.45)], c.dark)
    c.oval(-0.15, 0, 0.75, 0.42, c.colour)
    c.oval(-0.2, -0.12, 0.55, 0.24, c.light)
    c.oval(-0.6, 0.1, 0.1, 0.1, WHITE)
    c.oval(-0.6, 0.1, 0.05, 0.05, (20, 20, 20))
    c.line([(-0.35, 0.3), (-0.28, 0), (-0.35, -0.3)], c.dark, 0.05)


def _bird(c: Canvas) -> None:
    c.polygon(smooth([(-0.9, 0.05), (-0.3, -0.5), (0.3, -0.4), (0.55, 0.1), (0.2, 0.25), (-0.4, 0)]), c.colour)
    c.ball(0.5, 0.35, 0.3)
    c.polygon([(0.75, 0.45), (1.0, 0.32), (0.75, 0.25)], (240, 160, 40))
    c.leaf(0.25, 0.1, 0.8, 195, c.dark)
    c.oval(0.58, 0.42, 0.06, 0.06, (20, 20, 20))


def _gear(c: Canvas) -> None:
    for number in range(10):
        angle = math.tau * number / 10
        turn = [(angle + k, r) for k, r in ((-0.16, 0.6), (-0.11, 0.95), (0.11, 0.95), (0.16, 0.6))]
        c.polygon([(r * math.cos(a), r * math.sin(a)) for a, r in turn], c.colour)
    c.oval(0, 0, 0.72, 0.72, c.colour)
    c.oval(0, 0, 0.3, 0.3, c.light)


def _wrench(c: Canvas) -> None:
    c.line([(-0.55, -0.55), (0.5, 0.5)], c.colour, 0.26)
    for place in (-0.62, 0.55):
        c.oval(place, place, 0.34, 0.34, c.colour)
    c.polygon([(0.5, 0.65), (0.65, 0.5), (1, 0.8), (0.8, 1)], c.light)
    c.oval(-0.62, -0.62, 0.15, 0.15, c.light)


def _bolt(c: Canvas) -> None:
    c.polygon([(-0.45, 0.45), (-0.45, 0.8), (0.45, 0.8), (0.45, 0.45)], c.dark)
    c.polygon([(-0.2, 0.45), (0.2, 0.45), (0.2, -0.8), (0, -0.95), (-0.2, -0.8)], c.colour)
    for step in range(6):
        c.line([(-0.22, 0.2 - step * 0.17), (0.22, 0.28 - step * 0.17)], c.light, 0.05)


def _bulb(c: Canvas) -> None:
    c.ball(0, 0.25, 0.62)
    c.polygon([(-0.35, -0.25), (0.35, -0.25), (0.25, -0.55), (-0.25, -0.55)], c.colour)
    for y in (-0.6, -0.74, -0.88):
        c.line([(-0.22, y), (0.22, y)], (120, 120, 125), 0.1)
    c.line([(-0.2, 0.3), (-0.08, 0), (0.08, 0), (0.2, 0.3)], c.light, 0.05)


def _flash(c: Canvas) -> None:
    c.oval(0, 0, 0.92, 0.92, c.dark)
    c.polygon([(0.2, 0.8), (-0.5, -0.1), (-0.05, -0.1), (-0.2, -0.8), (0.5, 0.15), (0.05, 0.15)], c.light)


def _plug(c: Canvas) -> None:
    c.polygon(smooth([(-0.5, 0.3), (0.5, 0.3), (0.5, -0.1), (0.25, -0.4), (-0.25, -0.4), (-0.5, -0.1)], 4), c.colour)
    for x in (-0.25, 0.25):
        c.line([(x, 0.3), (x, 0.8)], (150, 150, 155), 0.12)
    c.line([(0, -0.4), (0, -0.7), (0.3, -0.95)], c.dark, 0.12)


def _rings(c: Canvas) -> None:
    for radius, ink in ((0.92, c.dark), (0.72, c.light), (0.5, c.colour), (0.25, mix(c.light, WHITE, 0.6))):
        c.oval(0, 0, radius, radius, ink)


def _blocks(c: Canvas) -> None:
    c.polygon([(-0.9, -0.9), (0.1, -0.9), (0.1, 0.3), (-0.9, 0.3)], c.dark)
    c.oval(0.25, 0.3, 0.6, 0.6, c.colour)
    c.polygon([(-0.3, -0.8), (0.9, -0.6), (0.6, 0.1)], c.light)


def _heart(c: Canvas) -> None:
    c.polygon(
        smooth([(0, -0.9), (-0.8, 0), (-0.75, 0.6), (-0.3, 0.75), (0, 0.4), (0.3, 0.75), (0.75, 0.6), (0.8, 0)]),
        c.colour,
    )
    c.oval(-0.42, 0.38, 0.16, 0.12, c.light)


NATURE: dict[str, Painter] = {
    "star": _star, "sun": _sun, "mountain": _mountain, "flower": _flower, "leaves": _leaves, "drop": _drop,
    "waves": _waves, "snowflake": _snowflake, "honeycomb": _honeycomb, "cow": _cow, "cat": _cat, "fish": _fish,
    "bird": _bird, "heart": _heart,
}  # fmt: skip
SIGNS: dict[str, Painter] = {
    "gear": _gear, "wrench": _wrench, "bolt": _bolt, "bulb": _bulb, "flash": _flash, "plug": _plug, "rings": _rings,
    "blocks": _blocks,
}  # fmt: skip
