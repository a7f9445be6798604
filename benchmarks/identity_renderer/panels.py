"""The other sides of a package: small print, barcode, top, spine, shipping label and name plate."""

from __future__ import annotations

from PIL import Image, ImageDraw

from identity_renderer.design import BLACK, WHITE, Design, mix, readable_on
from identity_renderer.fronts import draw_brand, draw_pictures, in_pixels
from identity_renderer.grounds import paint_barcode, paint_ground
from identity_renderer.lettering import Lettering, draw_lines, draw_text, draw_upright
from identity_renderer.mesh import make_generator
from identity_renderer.palette import accent_of, clear_of, ground_of
from identity_renderer.wording import make_lines


def draw_side(image: Image.Image, design: Design) -> None:
    """Draw a side: brand, a table of contents, small print."""
    product, face = design.product, design.brand.small_face
    ground = ground_of(design)
    paint_ground(image, "plain", ground, ground, 0)
    rng = make_generator("small print", product.copy)
    lines = make_lines(rng, 14, 26)
    draw_brand(image, design, in_pixels((0.1, 0.05, 0.9, 0.18), image.size))
    ImageDraw.Draw(image).rectangle(in_pixels((0, 0.2, 1, 0.28), image.size), fill=product.colour)
    word = Lettering(face, readable_on(product.colour))
    draw_text(image, in_pixels((0.08, 0.215, 0.92, 0.265), image.size), product.flavour, word)
    draw_lines(image, in_pixels((0.08, 0.31, 0.92, 0.55), image.size), lines[:8], face, readable_on(ground))
    table = in_pixels((0.08, 0.6, 0.92, 0.92), image.size)
    draw = ImageDraw.Draw(image)
    draw.rectangle(table, fill=WHITE, outline=BLACK)
    rows = [f"{line[:12]}  {rng.integers(1, 99)}" for line in lines[8:]]
    draw_lines(image, (table[0] + 4, table[1] + 3, table[2] - 4, table[3] - 3), rows, face, BLACK)


def draw_back(image: Image.Image, design: Design) -> None:
    """Draw a back: small print and the barcode."""
    product, face = design.product, design.brand.small_face
    ground = ground_of(design)
    paint_ground(image, "plain", ground, ground, 0)
    lines = make_lines(make_generator("back", product.copy), 12, 30)
    draw_text(image, in_pixels((0.1, 0.05, 0.9, 0.12), image.size), product.title, Lettering(face, readable_on(ground)))
    draw_pictures(image, design, in_pixels((0.3, 0.14, 0.7, 0.32), image.size))
    draw_lines(image, in_pixels((0.08, 0.35, 0.92, 0.66), image.size), lines, face, readable_on(ground))
    paint_barcode(image, in_pixels((0.12, 0.72, 0.88, 0.92), image.size), product.code, face)


def draw_top(image: Image.Image, design: Design) -> None:
    """Draw a lid or the top of a box: brand and flavour."""
    product = design.product
    paint_ground(image, design.brand.pattern, ground_of(design), accent_of(design), 0.5)
    draw_brand(image, design, in_pixels((0.15, 0.22, 0.85, 0.56), image.size))
    ImageDraw.Draw(image).rectangle(in_pixels((0, 0.62, 1, 0.8), image.size), fill=product.colour)
    word = Lettering(design.brand.small_face, readable_on(product.colour))
    draw_text(image, in_pixels((0.2, 0.65, 0.8, 0.77), image.size), product.flavour, word)


def draw_spine(image: Image.Image, design: Design) -> None:
    """Draw the spine of a book."""
    brand, ground = design.brand, accent_of(design)
    paint_ground(image, "plain", ground, ground, 0)
    ink = clear_of(brand.ground, ground)
    draw_upright(image, in_pixels((0.15, 0.3, 0.85, 0.95), image.size), brand.name, Lettering(brand.face, ink))
    draw_pictures(image, design, in_pixels((0.1, 0.03, 0.9, 0.25), image.size))


def draw_parcel_label(image: Image.Image, design: Design) -> None:
    """Draw a shipping label: sender, address, a routing number and the barcode."""
    brand, product = design.brand, design.product
    image.paste(WHITE, (0, 0, *image.size))
    draw = ImageDraw.Draw(image)
    draw.rectangle(in_pixels((0.01, 0.01, 0.99, 0.99), image.size), outline=BLACK, width=max(image.width // 150, 1))
    draw.rectangle(in_pixels((0.01, 0.01, 0.99, 0.2), image.size), fill=brand.accent)
    name = Lettering(brand.face, clear_of(brand.ground, brand.accent), slant=brand.slant)
    draw_text(image, in_pixels((0.05, 0.04, 0.6, 0.17), image.size), brand.name, name)
    mark = Lettering(brand.small_face, readable_on(brand.accent))
    draw_text(image, in_pixels((0.68, 0.04, 0.95, 0.17), image.size), product.title[:5].upper(), mark)
    lines = make_lines(make_generator("address", product.copy), 4, 22)
    draw_lines(
        image, in_pixels((0.05, 0.24, 0.6, 0.54), image.size), [line.title() for line in lines], brand.small_face, BLACK
    )
    draw.rectangle(in_pixels((0.64, 0.24, 0.96, 0.54), image.size), fill=product.colour)
    route = Lettering(brand.small_face, readable_on(product.colour))
    draw_text(image, in_pixels((0.67, 0.28, 0.93, 0.5), image.size), str(product.code % 1000), route)
    paint_barcode(image, in_pixels((0.06, 0.6, 0.94, 0.95), image.size), product.code, brand.small_face)


def draw_plate(image: Image.Image, design: Design) -> None:
    """Draw a name plate or a sticker: brand, type, a picture, and its number with bars."""
    brand, product = design.brand, design.product
    ground = mix(ground_of(design), WHITE, 0.1)
    paint_ground(image, "frame", ground, accent_of(design), 0.2)
    draw_brand(image, design, in_pixels((0.06, 0.1, 0.62, 0.48), image.size))
    word = Lettering(brand.small_face, clear_of(product.colour, ground), align=0)
    draw_text(image, in_pixels((0.06, 0.53, 0.56, 0.7), image.size), f"{product.title} {product.amount}", word)
    draw_pictures(image, design, in_pixels((0.66, 0.1, 0.94, 0.55), image.size))
    draw_text(
        image,
        in_pixels((0.06, 0.75, 0.5, 0.9), image.size),
        product.flavour,
        Lettering(brand.small_face, readable_on(ground), align=0),
    )
    paint_barcode(image, in_pixels((0.6, 0.62, 0.94, 0.9), image.size), product.code, brand.small_face)
