"""The front of a label: where brand, title, flavour, picture, amount and badges stand."""

from __future__ import annotations

from PIL import Image, ImageDraw

from identity_renderer.design import Design, Ink, mix, readable_on
from identity_renderer.grounds import paint_badge, paint_ground, paint_logo_shape
from identity_renderer.lettering import Box, Lettering, draw_text, draw_upright
from identity_renderer.motifs_food import FOOD
from identity_renderer.motifs_signs import NATURE, SIGNS
from identity_renderer.palette import accent_of, clear_of, ground_of
from identity_renderer.pictures import draw_picture

PICTURES = {**FOOD, **NATURE, **SIGNS}

Place = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of width and height."""

TALL: tuple[dict[str, Place], ...] = (
    {"logo": (0.08, 0.06, 0.92, 0.27), "title": (0.15, 0.29, 0.85, 0.36), "picture": (0.12, 0.38, 0.88, 0.8),
     "flavour": (0, 0.81, 1, 0.91)},
    {"picture": (0.1, 0.04, 0.9, 0.46), "logo": (0.06, 0.47, 0.94, 0.7), "title": (0.15, 0.71, 0.85, 0.78),
     "flavour": (0.12, 0.8, 0.88, 0.9)},
    {"title": (0.1, 0.05, 0.9, 0.13), "logo": (0, 0.15, 1, 0.36), "flavour": (0, 0.36, 1, 0.45),
     "picture": (0.25, 0.48, 1.02, 0.92)},
    {"upright": (0.04, 0.06, 0.34, 0.94), "title": (0.4, 0.08, 0.95, 0.17), "flavour": (0.4, 0.19, 0.95, 0.28),
     "picture": (0.38, 0.34, 0.98, 0.86)},
    {"picture": (-0.05, 0.12, 1.05, 0.88), "logo": (0.1, 0.36, 0.9, 0.6), "title": (0.2, 0.04, 0.8, 0.11),
     "flavour": (0.1, 0.89, 0.9, 0.97)},
    {"title": (0.2, 0.07, 0.8, 0.13), "logo": (0.1, 0.15, 0.9, 0.34), "picture": (0.3, 0.37, 0.7, 0.62),
     "flavour": (0.12, 0.65, 0.88, 0.78)},
    {"flavour": (0, 0.04, 1, 0.14), "picture": (0.15, 0.17, 0.85, 0.58), "title": (0.15, 0.6, 0.85, 0.67),
     "logo": (0.06, 0.69, 0.94, 0.92)},
    {"logo": (0.06, 0.05, 0.7, 0.2), "title": (0.06, 0.22, 0.8, 0.36), "flavour": (0.06, 0.38, 0.6, 0.46),
     "picture": (0.3, 0.5, 0.98, 0.95)},
)  # fmt: skip

WIDE: tuple[dict[str, Place], ...] = (
    {"logo": (0.04, 0.1, 0.55, 0.5), "title": (0.06, 0.54, 0.5, 0.67), "flavour": (0.04, 0.72, 0.55, 0.9),
     "picture": (0.57, 0.08, 0.98, 0.92)},
    {"picture": (0.02, 0.08, 0.42, 0.92), "logo": (0.44, 0.08, 0.97, 0.46), "title": (0.46, 0.5, 0.95, 0.62),
     "flavour": (0.44, 0.68, 1, 0.88)},
    {"logo": (0.2, 0.06, 0.8, 0.42), "title": (0.3, 0.46, 0.7, 0.56), "flavour": (0, 0.72, 1, 0.9),
     "picture": (0.72, 0.4, 1, 1)},
    {"flavour": (0, 0.05, 1, 0.22), "logo": (0.05, 0.28, 0.6, 0.7), "title": (0.08, 0.74, 0.55, 0.88),
     "picture": (0.62, 0.26, 0.98, 0.98)},
)  # fmt: skip

BOOK: tuple[dict[str, Place], ...] = (
    {"logo": (0.08, 0.08, 0.92, 0.3), "title": (0.1, 0.32, 0.9, 0.39), "picture": (0.1, 0.42, 0.9, 0.84),
     "flavour": (0.15, 0.88, 0.85, 0.94)},
    {"flavour": (0.1, 0.05, 0.9, 0.12), "picture": (-0.1, 0.14, 1.1, 0.64), "logo": (0.06, 0.66, 0.94, 0.86),
     "title": (0.1, 0.88, 0.9, 0.95)},
    {"picture": (0.3, 0.1, 0.7, 0.36), "logo": (0.05, 0.42, 0.95, 0.62), "title": (0.1, 0.65, 0.9, 0.72),
     "flavour": (0.1, 0.86, 0.9, 0.93)},
)  # fmt: skip


def in_pixels(place: Place, size: tuple[int, int]) -> Box:
    """Return a place as a box in pixels."""
    width, height = size
    left, top, right, bottom = place
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def colour_under(image: Image.Image, box: Box) -> Ink:
    """Return the mean colour in a box, which hardly depends on the size of the image."""
    left, top, right, bottom = box
    inside = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
    red, green, blue = image.crop(inside).resize((1, 1), Image.Resampling.BOX).tobytes()
    return red, green, blue


def draw_brand(image: Image.Image, design: Design, box: Box) -> None:
    """Draw the brand's name on its logo shape."""
    brand = design.brand
    behind = colour_under(image, box)
    plate = clear_of(brand.accent, behind)
    inner = paint_logo_shape(image, box, brand.logo, plate, brand.second)
    under = behind if brand.logo == "none" else plate
    ink = clear_of(brand.second if brand.logo != "none" else brand.accent, under)
    outline = clear_of(brand.ground, ink) if brand.outline else None
    draw_text(image, inner, brand.name, Lettering(brand.face, ink, outline, brand.slant, brand.arc))


def _draw_flavour(image: Image.Image, design: Design, box: Box) -> None:
    brand, product = design.brand, design.product
    if brand.reach == "word":
        word = Lettering(brand.small_face, clear_of(product.colour, ground_of(design)))
    else:
        strip = product.colour if brand.reach == "strip" else mix(product.colour, readable_on(product.colour), 0.75)
        ImageDraw.Draw(image).rectangle(box, fill=strip)
        word = Lettering(brand.small_face, readable_on(strip))
    rise, inset = (box[3] - box[1]) // 5, max((box[2] - box[0]) // 12, 2)
    draw_text(image, (box[0] + inset, box[1] + rise, box[2] - inset, box[3] - rise), product.flavour, word)


def draw_pictures(image: Image.Image, design: Design, box: Box) -> None:
    """Draw the product's picture as often as it is repeated."""
    product = design.product
    width, height = box[2] - box[0], box[3] - box[1]
    count = product.repeats
    side = (
        min(width, height) if count == 1 else min(max(width, height) // count + min(width, height) // 4, width, height)
    )
    if side < 8:
        return
    picture = draw_picture(PICTURES[product.picture], side, product.colour, product.turn)
    for number in range(count):
        share = 0.5 if count == 1 else number / (count - 1)
        x = box[0] + round((width - side) * share)
        y = box[1] + round((height - side) * (share if height > width else 0.5))
        image.paste(picture, (x, y), picture)


def _draw_marks(image: Image.Image, design: Design, picture: Place) -> None:
    """Draw the amount in its corner and the badges at the picture's edges."""
    brand, product = design.brand, design.product
    width, height = image.size
    amount = in_pixels((0.6, 0.925, 0.96, 0.975), image.size)
    ink = readable_on(colour_under(image, amount))
    draw_text(image, amount, product.amount, Lettering(brand.small_face, ink, align=1))
    radius = min(width, height) * (0.1 + 0.05 * brand.jitter[5])
    for number, badge in enumerate(product.badges):
        right, low = (number + (brand.jitter[3] > 0.5)) % 2 == 1, (number + (brand.jitter[4] > 0.5)) % 2 == 1
        x = min(max(width * picture[2 if right else 0], radius * 1.2), width - radius * 1.2)
        y = height * (picture[1] + (picture[3] - picture[1]) * (0.85 if low else 0.15))
        paint_badge(image, x, y, radius, badge, product.badge_colour, brand.small_face)


def draw_front(image: Image.Image, design: Design) -> None:
    """Draw the front of a label over a whole image."""
    width, height = image.size
    layouts = WIDE if width > height * 1.25 else TALL
    places = layouts[design.brand.layout % len(layouts)]
    _compose(image, design, places)
    _draw_marks(image, design, places["picture"])


def draw_cover(image: Image.Image, design: Design) -> None:
    """Draw the front cover of a book."""
    _compose(image, design, BOOK[design.brand.layout % len(BOOK)])


def _compose(image: Image.Image, design: Design, places: dict[str, Place]) -> None:
    brand = design.brand
    paint_ground(image, brand.pattern, ground_of(design), accent_of(design), brand.jitter[0])
    for element, place in places.items():
        shift = (brand.jitter[1] - 0.5) * 0.04
        box = in_pixels((place[0], place[1] + shift, place[2], place[3] + shift), image.size)
        if element == "logo":
            draw_brand(image, design, box)
        elif element == "upright":
            ink = clear_of(brand.accent, ground_of(design), accent_of(design))
            draw_upright(image, box, brand.name, Lettering(brand.face, ink))
        elif element == "title":
            ink = clear_of(readable_on(ground_of(design)), accent_of(design))
            draw_text(image, box, design.product.title, Lettering(brand.small_face, ink))
        elif element == "flavour":
            _draw_flavour(image, design, box)
        else:
            draw_pictures(image, design, box)
