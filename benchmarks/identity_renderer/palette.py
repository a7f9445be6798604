"""Which colour of a design goes where."""

from __future__ import annotations

from identity_renderer.design import BLACK, WHITE, Design, Ink, colour_distance, mix


def ground_of(design: Design) -> Ink:
    """Return the colour that a print is mostly of."""
    brand, product = design.brand, design.product
    return mix(product.colour, brand.ground, 0.12) if brand.reach == "ground" else brand.ground


def accent_of(design: Design) -> Ink:
    """Return the colour of the pattern on the ground."""
    brand, product = design.brand, design.product
    return product.colour if brand.reach == "half" else brand.accent


def clear_of(wanted: Ink, *grounds: Ink) -> Ink:
    """Return a colour if it stands out from the grounds, else white or black, whichever stands out more."""
    if all(colour_distance(wanted, ground) >= 80 for ground in grounds):
        return wanted
    return max((WHITE, BLACK), key=lambda ink: min(colour_distance(ink, ground) for ground in grounds))
