"""What tells one packaged product from another: its brand, the product itself and the form of its package."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Ink = tuple[int, int, int]
"""sRGB, 0 to 255."""

T = TypeVar("T")

WHITE: Ink = (250, 249, 245)
BLACK: Ink = (24, 22, 26)

LAYOUTS = 8
PATTERNS = ("plain", "plain", "fade", "halves", "diagonal", "wave", "stripes", "dots", "rays", "frame", "arch")
LOGOS = ("none", "none", "ellipse", "banner", "pill", "shield", "box", "circle")
REACHES = ("strip", "strip", "word", "half", "ground", "ground")


@dataclass(frozen=True)
class Brand:
    """The look that all products of a line share.

    Attributes:
        name: as printed.
        maker: small line under or over the name.
        face, small_face: typefaces of the name and of the rest.
        slant: shear of the name, 0 upright.
        arc: bend of the name, as a share of its width; 0 straight.
        logo: shape behind the name.
        outline: whether the name has an outline.
        ground, accent, second: colours.
        layout: number of the arrangement, 0 to LAYOUTS - 1.
        jitter: six numbers 0 to 1 that vary the arrangement.
        pattern: of the ground.
        reach: how much of the print takes the flavour's colour: "strip", "word", "half" or "ground".
    """

    name: str
    maker: str
    face: str
    small_face: str
    slant: float
    arc: float
    logo: str
    outline: bool
    ground: Ink
    accent: Ink
    second: Ink
    layout: int
    jitter: tuple[float, ...]
    pattern: str
    reach: str


@dataclass(frozen=True)
class Product:
    """What one product of a line has of its own.

    Attributes:
        title: what it is.
        flavour: which one it is.
        picture: name of a picture.
        colour: of the flavour.
        amount: as printed, with its unit.
        code: number under the barcode.
        badges: texts of the round marks, none to two.
        badge_colour: of the round marks.
        copy: number from which the small text is made.
        repeats: how many times the picture is printed, 1 to 3.
        turn: of the picture, degrees.
    """

    title: str
    flavour: str
    picture: str
    colour: Ink
    amount: str
    code: int
    badges: tuple[str, ...]
    badge_colour: Ink
    copy: int
    repeats: int
    turn: float


@dataclass(frozen=True)
class Form:
    """The package without its print.

    Attributes:
        kind: one of `forms.KINDS`.
        sizes: eight numbers 0 to 1, each a measure of that kind of package.
        body: colour of what is not printed.
        cap: colour of cap, lid, handle or buttons.
    """

    kind: str
    sizes: tuple[float, ...]
    body: Ink
    cap: Ink


@dataclass(frozen=True)
class Design:
    """A packaged product."""

    brand: Brand
    product: Product
    form: Form


def pick(rng: np.random.Generator, choices: tuple[T, ...] | list[T]) -> T:
    """Return one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def from_hsv(hue: float, saturation: float, value: float) -> Ink:
    """Return a colour from hue (turns), saturation and value."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def luminance(ink: Ink) -> float:
    """Return the brightness of a colour, 0 to 1."""
    return (0.299 * ink[0] + 0.587 * ink[1] + 0.114 * ink[2]) / 255


def readable_on(ground: Ink) -> Ink:
    """Return black or white, whichever can be read on a colour."""
    return BLACK if luminance(ground) > 0.58 else WHITE


def colour_distance(first: Ink, second: Ink) -> float:
    """Return the largest difference of a channel, 0 to 255."""
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def mix(first: Ink, second: Ink, share: float) -> Ink:
    """Return a colour between two, `share` of the way to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def random_colour(rng: np.random.Generator) -> Ink:
    """Return a colour that printed packages have: white and cream, vivid, pastel, dark or brown paper."""
    draw, hue = rng.random(), rng.random()
    if draw < 0.2:
        return mix(WHITE, from_hsv(hue, 0.15, 0.97), rng.random())
    if draw < 0.62:
        return from_hsv(hue, rng.uniform(0.65, 0.98), rng.uniform(0.6, 0.97))
    if draw < 0.76:
        return from_hsv(hue, rng.uniform(0.2, 0.45), rng.uniform(0.85, 0.98))
    if draw < 0.93:
        return from_hsv(hue, rng.uniform(0.3, 0.9), rng.uniform(0.12, 0.42))
    return from_hsv(rng.uniform(0.07, 0.11), rng.uniform(0.3, 0.5), rng.uniform(0.6, 0.8))


def unlike(rng: np.random.Generator, *others: Ink, least: float = 70) -> Ink:
    """Return a random colour that differs from others by at least `least` in some channel."""
    while True:
        colour = random_colour(rng)
        if all(colour_distance(colour, other) >= least for other in others):
            return colour


def random_cap(rng: np.random.Generator) -> Ink:
    """Return a colour that caps have: white, black, metal or vivid."""
    draw = rng.random()
    if draw < 0.25:
        return WHITE
    if draw < 0.4:
        return (38, 38, 42)
    if draw < 0.5:
        return pick(rng, ((190, 192, 196), (201, 165, 92), (120, 84, 62)))
    return from_hsv(rng.random(), rng.uniform(0.6, 0.95), rng.uniform(0.5, 0.95))
