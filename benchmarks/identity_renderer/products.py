"""Random brands, product lines and forms, and the flavours that a line can have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from identity_renderer.design import (
    LAYOUTS,
    LOGOS,
    PATTERNS,
    REACHES,
    WHITE,
    Brand,
    Form,
    Ink,
    Product,
    colour_distance,
    from_hsv,
    pick,
    random_cap,
    random_colour,
    unlike,
)
from identity_renderer.motifs_food import FOOD
from identity_renderer.motifs_signs import NATURE, SIGNS
from identity_renderer.wording import BADGES, make_amount, make_name, make_word, set_case

GENRES: dict[str, tuple[str, ...]] = {
    "food": ("gable_carton", "brick_carton", "folding_box", "pouch", "tub", "beaker", "bottle", "can", "jar"),
    "care": ("tube", "spray", "aerosol", "bottle", "bucket", "folding_box", "pouch", "jar"),
    "goods": ("blister_card", "folding_box", "crate", "tool_case", "machine", "parcel", "bucket", "aerosol"),
    "book": ("book",),
}
"""The kinds of package that a kind of product comes in."""

_PICTURES = {"food": (*FOOD, "cow", "honeycomb", "fish"), "care": (*NATURE, "citrus", "apple"),
             "goods": (*SIGNS, "drop", "sun", "star"), "book": (*NATURE, *SIGNS, *FOOD)}  # fmt: skip

_HUES: dict[str, tuple[float, ...]] = {
    "apple": (0.0, 0.25), "citrus": (0.09, 0.15, 0.28, 0.02), "half_citrus": (0.08, 0.14), "strawberry": (0.98,),
    "berries": (0.66, 0.75, 0.95), "cherries": (0.96,), "grapes": (0.78, 0.24), "banana": (0.14,), "pear": (0.2, 0.12),
    "tomato": (0.01,), "carrot": (0.07,), "chilli": (0.0, 0.3, 0.1), "grain": (0.11,), "beans": (0.06, 0.04),
    "cup": (0.05, 0.6, 0.0), "splash": (0.58, 0.1), "biscuits": (0.08, 0.1), "chocolate": (0.05,),
    "mushroom": (0.06, 0.0), "sun": (0.13,), "drop": (0.57, 0.5), "waves": (0.55,), "snowflake": (0.56,),
    "leaves": (0.3, 0.36), "flower": (0.85, 0.75, 0.95), "honeycomb": (0.11,), "fish": (0.55, 0.05),
    "heart": (0.98, 0.9),
}  # fmt: skip
"""Hues in turns; pictures that are not named come in any."""


def random_brand(rng: np.random.Generator, faces: Sequence[str]) -> Brand:
    """Return a brand set in some of the typefaces."""
    ground = random_colour(rng)
    accent = unlike(rng, ground, least=90)
    return Brand(
        name=make_name(rng),
        maker=make_word(rng, 2).title()
        + pick(rng, (" since 18", " est. 19", " & Co ", " No. "))
        + f"{rng.integers(10, 99)}",
        face=pick(rng, tuple(faces)),
        small_face=pick(rng, tuple(faces)),
        slant=float(rng.choice([0, 0, 0, 0.15, 0.3])),
        arc=float(rng.choice([0, 0, 0, 0.22, -0.18, 0.35])),
        logo=pick(rng, LOGOS),
        outline=bool(rng.random() < 0.3),
        ground=ground,
        accent=accent,
        second=unlike(rng, ground, accent) if rng.random() < 0.6 else WHITE,
        layout=int(rng.integers(LAYOUTS)),
        jitter=tuple(float(value) for value in rng.random(6)),
        pattern=pick(rng, PATTERNS),
        reach=pick(rng, REACHES),
    )


def random_form(rng: np.random.Generator, kind: str) -> Form:
    """Return a form of a kind."""
    body = random_colour(rng) if rng.random() < 0.7 else WHITE
    return Form(kind, tuple(float(value) for value in rng.random(8)), body, random_cap(rng))


def picture_colour(rng: np.random.Generator, picture: str) -> Ink:
    """Return a colour that a picture may have."""
    hues = _HUES.get(picture)
    hue = pick(rng, hues) + rng.uniform(-0.015, 0.015) if hues else rng.random()
    return from_hsv(float(hue), float(rng.uniform(0.65, 0.95)), float(rng.uniform(0.65, 0.95)))


def random_product(rng: np.random.Generator, genre: str) -> Product:
    """Return the first product of a line."""
    picture = pick(rng, _PICTURES[genre])
    badges = tuple(pick(rng, BADGES) for _ in range(int(rng.choice([0, 1, 1, 2]))))
    return Product(
        title=set_case(rng, make_word(rng, int(rng.integers(1, 4)))),
        flavour=_flavour_word(rng, picture),
        picture=picture,
        colour=picture_colour(rng, picture),
        amount=make_amount(rng, genre),
        code=int(rng.integers(10**12)),
        badges=badges,
        badge_colour=random_colour(rng),
        copy=int(rng.integers(2**31)),
        repeats=int(rng.choice([1, 1, 1, 2, 3])),
        turn=float(rng.choice([0, 0, 0, -15, 15, 25])),
    )


def next_flavour(rng: np.random.Generator, product: Product, genre: str, taken: Collection[Product]) -> Product:
    """Return another flavour of a product: word, picture, colour, code and small print differ, the rest stays.

    It has a picture that no product of `taken` has, and a colour well away from the given product's.
    """
    used = {product.picture} | {other.picture for other in taken}
    picture = pick(rng, [name for name in _PICTURES[genre] if name not in used])
    colour = picture_colour(rng, picture)
    for _ in range(20):
        if colour_distance(colour, product.colour) >= 60:
            break
        colour = picture_colour(rng, picture)
    return replace(
        product,
        flavour=_flavour_word(rng, picture),
        picture=picture,
        colour=colour,
        code=int(rng.integers(10**12)),
        copy=int(rng.integers(2**31)),
    )


def _flavour_word(rng: np.random.Generator, picture: str) -> str:
    plain = picture.replace("_", " ")
    draw = rng.random()
    if draw < 0.3:
        return plain.title()
    if draw < 0.5:
        return f"{make_word(rng, 2).title()} {plain}"
    return set_case(rng, make_word(rng, int(rng.integers(2, 4))))
