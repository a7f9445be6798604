"""Packaged goods with printed labels: thousands of products, many of one line, none like another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from identity_renderer.design import (
    Design,
    Ink,
    Product,
    pick,
    unlike,
)
from identity_renderer.forms import build_form
from identity_renderer.labels import draw_print
from identity_renderer.mesh import Colour, Mesh, Part, make_generator
from identity_renderer.pieces import Piece
from identity_renderer.products import GENRES, next_flavour, random_brand, random_form, random_product
from identity_renderer.typefaces import ALL
from identity_renderer.wording import BADGES, make_amount

COLLECTION = "packages"
LICENCE = "Apache-2.0"
CREATOR = "nearid-search"

Kind = Literal["flavour", "relabel", "recolour", "part", "proportions"]

_LINE_SIZES = (1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4)
_GENRE_SHARES = (0.45, 0.2, 0.27, 0.08)
# What can differ alone, by the panel that shows it; the likelier ones twice.
_ELEMENTS = {
    "front": ("badge", "badge", "amount", "code", "picture", "picture", "colour"),
    "cover": ("picture", "colour"),
    "plate": ("amount", "code", "picture", "picture", "colour"),
    "parcel": ("code", "colour"),
}
_PLAIN: dict[str, Ink] = {
    "page": (240, 236, 226),
    "kraft": (186, 148, 104),
    "metal": (196, 198, 202),
    "dark": (44, 44, 48),
}


@dataclass(frozen=True)
class PackageEntry:
    """A product that can be made.

    Attributes:
        name: unique; tells the seed, the line and the product.
        line: name of the product line. Split a dataset by it: products of a line share brand and form.
        category: kind of package.
        genre: kind of product, one of `products.GENRES`.
        design: everything that is drawn.
        siblings: the other products of the line.
        faces: typefaces that a change may use.
    """

    name: str
    line: str
    category: str
    genre: str
    design: Design
    siblings: tuple[Product, ...]
    faces: tuple[str, ...]
    collection: str = COLLECTION
    licence: str = LICENCE
    creator: str = CREATOR


def list_packages(count: int, seed: int, faces: Sequence[str] = ALL) -> list[PackageEntry]:
    """Return the first `count` products of a seed; a longer list begins with a shorter one.

    About half of the products share their line, which is brand, arrangement and form, with one to three others.

    Args:
        count: at least 0.
        seed: of the list.
        faces: names of the typefaces to print in, of `typefaces.ALL`.
    """
    entries: list[PackageEntry] = []
    number = 0
    while len(entries) < count:
        entries += _make_line(f"{COLLECTION}-{seed}-{number:05d}", tuple(faces))
        number += 1
    return entries[:count]


def make_package(entry: PackageEntry) -> Mesh:
    """Return a product as a mesh whose name is its line.

    Raises:
        MissingTypefaceError: a typeface's package is not installed.
    """
    return _mesh(entry, entry.design)


def change_package(entry: PackageEntry, kind: Kind, rng: np.random.Generator) -> Mesh:
    """Return a near-identity distractor, which no listed product of the line equals.

    Args:
        entry: the product to change.
        kind: "flavour" (same brand, arrangement and form; another word, picture and colour), "relabel" (another brand
            on the same form), "recolour" (other colours of the same print), "part" (one printed element or the cap) or
            "proportions" (another size of the same package).
        rng: decides how.

    Raises:
        ValueError: there is no such kind of change.
        MissingTypefaceError: a typeface's package is not installed.
    """
    if kind not in _CHANGES:
        raise ValueError(f"cannot change a package by {kind!r}; expected one of {', '.join(get_args(Kind))}")
    return _mesh(entry, _CHANGES[kind](entry, rng))


def _make_line(line: str, faces: tuple[str, ...]) -> list[PackageEntry]:
    rng = make_generator("package line", line)
    genre = str(rng.choice(list(GENRES), p=_GENRE_SHARES))
    brand = random_brand(rng, faces)
    form = random_form(rng, pick(rng, GENRES[genre]))
    products = [random_product(rng, genre)]
    for _ in range(pick(rng, _LINE_SIZES) - 1):
        products.append(next_flavour(rng, products[-1], genre, products))
    return [
        PackageEntry(
            name=f"{line}-{number}",
            line=line,
            category=form.kind,
            genre=genre,
            design=Design(brand, product, form),
            siblings=tuple(other for other in products if other is not product),
            faces=faces,
        )
        for number, product in enumerate(products)
    ]


def _flavour(entry: PackageEntry, rng: np.random.Generator) -> Design:
    design = entry.design
    return replace(design, product=next_flavour(rng, design.product, entry.genre, entry.siblings))


def _relabel(entry: PackageEntry, rng: np.random.Generator) -> Design:
    return replace(entry.design, brand=random_brand(rng, entry.faces), product=random_product(rng, entry.genre))


def _recolour(entry: PackageEntry, rng: np.random.Generator) -> Design:
    """Change the brand's colours, the flavour's and those of cap and body, at least the ground visibly."""
    brand, product, form = entry.design.brand, entry.design.product, entry.design.form
    ground = unlike(rng, brand.ground)
    taken = [product.colour, *(sibling.colour for sibling in entry.siblings)]
    return Design(
        replace(brand, ground=ground, accent=unlike(rng, ground, brand.accent)),
        replace(product, colour=unlike(rng, *taken, least=45)),
        replace(form, body=unlike(rng, form.body), cap=unlike(rng, form.cap)),
    )


def _proportions(entry: PackageEntry, rng: np.random.Generator) -> Design:
    """Move the first measures, which every kind has as its width, depth and height, by a third of their range."""
    form = entry.design.form
    sizes = list(form.sizes)
    for place in range(3):
        step = rng.uniform(0.25, 0.45)
        sizes[place] += step if sizes[place] < 0.5 else -step
    return replace(entry.design, form=replace(form, sizes=tuple(float(size) for size in sizes)))


def _part(entry: PackageEntry, rng: np.random.Generator) -> Design:
    """Change one thing: cap, badge, amount, code, picture or the flavour's colour."""
    design = entry.design
    product, form = design.product, design.form
    pieces = build_form(form)
    elements = next(_ELEMENTS[piece.print.panels[0][0]] for piece in pieces if piece.print)
    if any(piece.paint == "cap" and piece.print is None for piece in pieces):
        elements += ("cap",)
    element = pick(rng, elements)
    if element == "cap":
        return replace(design, form=replace(form, cap=unlike(rng, form.cap)))
    if element == "amount":
        amount = make_amount(rng, entry.genre)
        return replace(design, product=replace(product, amount=amount, code=product.code + 1))
    if element == "code":
        return replace(design, product=replace(product, code=int(rng.integers(10**12))))
    other = next_flavour(rng, product, entry.genre, entry.siblings)
    if element == "picture":
        return replace(design, product=replace(product, picture=other.picture))
    if element == "colour":
        return replace(design, product=replace(product, colour=other.colour))
    badges = () if product.badges and rng.random() < 0.3 else (_other_badge(rng, product),)
    return replace(design, product=replace(product, badges=badges, badge_colour=unlike(rng, product.badge_colour)))


def _other_badge(rng: np.random.Generator, product: Product) -> str:
    return pick(rng, [badge for badge in BADGES if badge not in product.badges])


_CHANGES: dict[str, Callable[[PackageEntry, np.random.Generator], Design]] = {
    "flavour": _flavour,
    "relabel": _relabel,
    "recolour": _recolour,
    "part": _part,
    "proportions": _proportions,
}


def _mesh(entry: PackageEntry, design: Design) -> Mesh:
    pieces = build_form(design.form)
    points = np.concatenate([piece.surface.vertices for piece in pieces])
    low, high = points.min(axis=0), points.max(axis=0)
    origin = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    scale = 1 / float((high - low).max())
    parts = tuple(_part_of(piece, design, origin, scale) for piece in pieces)
    return Mesh(entry.line, entry.category, entry.collection, entry.licence, entry.creator, parts)


def _part_of(piece: Piece, design: Design, origin: NDArray[np.float64], scale: float) -> Part:
    surface = piece.surface
    texture = draw_print(piece.print, design) if piece.print else None
    return Part(
        name=piece.name,
        vertices=((surface.vertices - origin) * scale).astype(np.float32),
        faces=surface.faces,
        normals=surface.normals.astype(np.float32),
        uv=surface.uv.astype(np.float32) if piece.print else None,
        colour=(1.0, 1.0, 1.0) if piece.print else _colour_of(piece, design),
        texture=texture,
        gloss=piece.gloss,
    )


def _colour_of(piece: Piece, design: Design) -> Colour:
    paints = {**_PLAIN, "body": design.form.body, "cap": design.form.cap, "accent": design.brand.accent}
    red, green, blue = paints[piece.paint]
    return red / 255, green / 255, blue / 255
