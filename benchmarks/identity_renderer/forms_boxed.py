"""Packages and goods with flat sides: cartons, boxes, pouches, books, parcels, crates, cases and machines."""

from __future__ import annotations

from functools import partial

from identity_renderer.pieces import Build, Panel, Piece, Print, between, whole, wrap
from identity_renderer.solids import (
    Section,
    Surface,
    box,
    box_section,
    end,
    join,
    loft,
    moved,
    round_section,
    sheet,
    solid,
    tilted,
)

Sizes = tuple[float, ...]


def _printed_box(width: float, height: float, depth: float, corner: float) -> list[Piece]:
    low, high = (box_section(y, width / 2, depth / 2, corner) for y in (0, height))
    return [
        Piece("sides", loft([low, high], 3), "body", wrap(high, height)),
        Piece("top", end(high, up=True, steps=3), "body", whole("top", width / depth)),
        Piece("bottom", end(low, up=False, steps=3), "body"),
    ]


def _gable_carton(s: Sizes) -> list[Piece]:
    width, depth, height = between(0.36, 0.6, s[0]), between(0.3, 0.5, s[1]), between(0.6, 0.95, s[2])
    roof, fin = between(0.1, 0.22, s[3]), between(0.05, 0.1, s[4])
    pieces = _printed_box(width, height, depth, 0.008)[::2]
    eaves, ridge = box_section(height, width / 2, depth / 2, 0.008), box_section(height + roof, width / 2, 0.012, 0.008)
    panels: tuple[Panel, ...] = (("top", 0.3, 0.7), ("top", 0.8, 1.2))
    pieces.append(Piece("roof", loft([eaves, ridge], 3), "body", Print(panels, 2 * (width + depth) / roof)))
    pieces.append(Piece("fin", box((width, fin, 0.02), (0, height + roof + fin / 2, 0)), "body"))
    if s[5] > 0.4:
        radius = between(0.05, 0.075, s[6])
        cap = solid([round_section(-0.02, radius), round_section(0.045, radius), round_section(0.05, radius * 0.9)])
        place = (0, height + roof * 0.45, depth / 4 + 0.01)
        pieces.append(Piece("cap", moved(tilted(cap, 45), *place), "cap", gloss=0.4))
    return pieces


def _brick_carton(s: Sizes) -> list[Piece]:
    width, depth, height = between(0.3, 0.62, s[0]), between(0.2, 0.42, s[1]), between(0.55, 1.1, s[2])
    pieces = _printed_box(width, height, depth, between(0.006, 0.03, s[3]))
    if s[5] > 0.5:
        radius = between(0.05, 0.09, s[6])
        cap = moved(solid([round_section(0, radius), round_section(0.05, radius)]), width * 0.2, height)
        pieces.append(Piece("cap", cap, "cap", gloss=0.4))
    return pieces


def _folding_box(s: Sizes) -> list[Piece]:
    width, depth = between(0.35, 1.2, s[0] ** 1.5), between(0.1, 0.5, s[1])
    return _printed_box(width, between(0.3, 1.1, s[2]), depth, between(0.004, 0.012, s[3]))


def _pouch(s: Sizes) -> list[Piece]:
    width, height, bulge = between(0.4, 0.85, s[0]) / 2, between(0.7, 1.15, s[1]), between(0.07, 0.16, s[2])
    stands = s[3] > 0.5
    levels = [(0, 1.0 if stands else 0.1), (0.06, 1.0 if stands else 0.12), (0.2, 1), (0.45, 1), (0.75, 0.7)]
    levels += [(0.92, 0.14), (0.94, 0.05), (1, 0.05)]
    sections = []
    for y, thick in levels:
        side, depth = width * (1 - 0.06 * thick), max(bulge * thick, 0.006)
        sections.append(Section(y * height, side, depth, side * 0.5, depth))
    panels: tuple[Panel, ...] = (("front", 0.26, 0.74), ("side", 0.78, 1.0), ("back", 0.0, 0.22))
    surface = join(loft(sections, 8), end(sections[0], up=False, steps=8))
    return [Piece("foil", surface, "body", Print(panels, 4.1 * width / height), gloss=between(0.1, 0.8, s[4]))]


def _blister_card(s: Sizes) -> list[Piece]:
    width, height = between(0.45, 0.8, s[0]), between(0.75, 1.1, s[1])
    bubble_w, bubble_h = width * between(0.25, 0.4, s[2]), height * between(0.16, 0.3, s[3])
    deep = between(0.06, 0.16, s[4])
    bottom = [box_section(0, bubble_w, bubble_h, 0.06), box_section(deep, bubble_w * 0.88, bubble_h * 0.88, 0.05)]
    goods_x, goods_z = bubble_w * between(0.3, 0.8, s[5]), bubble_h * between(0.5, 0.85, s[6])
    cut = round_section if s[7] > 0.5 else partial(box_section, corner=0.02)
    core = [cut(y * deep, goods_x * k, goods_z * k) for y, k in ((0, 1), (0.8, 1), (1.04, 0.85))]
    place = (0, bubble_h + height * 0.06, 0.012)
    return [
        Piece("card", box((width, height, 0.02), (0, height / 2, 0)), "body"),
        Piece("face", sheet(width, height, 0, height / 2, 0.0115), "body", whole("front", width / height)),
        Piece("bubble", moved(tilted(solid(bottom, 5), 90), *place), "body", gloss=0.9),
        Piece("goods", moved(tilted(solid(core), 90), *place), "cap", gloss=0.5),
    ]


def _book(s: Sizes) -> list[Piece]:
    width, height, depth = between(0.55, 0.85, s[0]), between(0.75, 1.1, s[1]), between(0.06, 0.25, s[2])
    low, high = (box_section(y, width / 2, depth / 2, 0.004) for y in (0, height))
    printed = wrap(high, height)
    names = {"front": "cover", "back": "spine", "side": "pages"}
    panels = tuple((names[name] if k < 3 else "side", a, b) for k, (name, a, b) in enumerate(printed.panels))
    pages = join(end(high, up=True, steps=3), end(low, up=False, steps=3))
    return [
        Piece("binding", loft([low, high], 3), "body", Print(panels, printed.aspect)),
        Piece("pages", pages, "page", gloss=0.05),
    ]


def _parcel(s: Sizes) -> list[Piece]:
    width, height, depth = between(0.5, 1.1, s[0]), between(0.35, 0.9, s[1]), between(0.3, 0.8, s[2])
    label_w, label_h = width * between(0.4, 0.75, s[3]), height * between(0.45, 0.75, s[4])
    tape = between(0.05, 0.1, s[5])
    x, y = width * between(-0.1, 0.1, s[6]), height * between(0.45, 0.55, s[7])
    band = box((tape, height + 0.004, depth + 0.004), (width * between(-0.3, 0.3, s[7]), height / 2, 0), 0.003)
    return [
        Piece("board", box((width, height, depth), (0, height / 2, 0), 0.006), "kraft", gloss=0.05),
        Piece("tape", band, "cap", gloss=0.6),
        Piece("label", sheet(label_w, label_h, x, y, depth / 2 + 0.006), "body", whole("parcel", label_w / label_h)),
    ]


def _crate(s: Sizes) -> list[Piece]:
    width, height, depth = between(0.6, 1.1, s[0]), between(0.3, 0.7, s[1]), between(0.4, 0.8, s[2])
    taper, wall = between(0.8, 1.0, s[3]), 0.03
    low, high = (box_section(y, width / 2 * k, depth / 2 * k, 0.04) for y, k in ((0, taper), (height, 1)))
    inner_high = box_section(height, width / 2 - wall, depth / 2 - wall, 0.03)
    inner_low = box_section(wall, width / 2 * taper - wall, depth / 2 * taper - wall, 0.03)
    shell = join(loft([low, high], 5), loft([high, inner_high], 5), loft([inner_high, inner_low], 5))
    floor = join(end(inner_low, up=True, steps=5), end(low, up=False, steps=5))
    rim = loft([box_section(height * y, width / 2 + 0.02, depth / 2 + 0.02, 0.05) for y in (0.88, 1)], 5)
    label_w, label_h = width * between(0.35, 0.7, s[4]), height * between(0.35, 0.55, s[5])
    label = sheet(label_w, label_h, width * between(-0.1, 0.1, s[6]), height * 0.45, depth / 2 + 0.006)
    return [
        Piece("crate", join(shell, floor), "cap", gloss=0.35),
        Piece("rim", rim, "cap", gloss=0.35),
        Piece("label", label, "body", whole("plate", label_w / label_h), gloss=0.2),
    ]


def _tool_case(s: Sizes) -> list[Piece]:
    width, height, depth = between(0.8, 1.1, s[0]), between(0.45, 0.75, s[1]), between(0.2, 0.4, s[2])
    corner = between(0.02, 0.08, s[3])
    shell = tilted(solid([box_section(y, width / 2, height / 2, corner) for y in (-depth / 2, depth / 2)], 5), 90)
    handle = between(0.25, 0.4, s[4])
    bars = [box((0.035, 0.12, 0.05), (side * handle / 2, height + 0.04, 0)) for side in (-1, 1)]
    bars.append(box((handle + 0.035, 0.04, 0.055), (0, height + 0.1, 0)))
    latch = width * between(0.25, 0.38, s[5])
    bars += [box((0.08, 0.13, 0.03), (side * latch, height * 0.93, depth / 2), 0.01) for side in (-1, 1)]
    label_w, label_h = width * between(0.4, 0.62, s[6]), height * between(0.4, 0.6, s[7])
    label = sheet(label_w, label_h, 0, height * 0.46, depth / 2 + 0.004)
    return [
        Piece("case", moved(shell, y=height / 2), "cap", gloss=0.3),
        Piece("fittings", join(*bars), "dark", gloss=0.3),
        Piece("label", label, "body", whole("plate", label_w / label_h)),
    ]


def _buttons(s: Sizes, width: float, height: float, front: float) -> list[Surface]:
    count, radius = 2 + int(s[5] * 3.9), width * between(0.03, 0.06, s[4])
    knob = tilted(solid([round_section(0, radius), round_section(0.04, radius * 0.9)]), 90)
    return [
        moved(knob, width * (k - (count - 1) / 2) * 0.15, height * between(0.18, 0.3, s[6]), front)
        for k in range(count)
    ]


def _machine(s: Sizes) -> list[Piece]:
    width, height, depth = between(0.6, 1.1, s[0]), between(0.5, 1.0, s[1]), between(0.4, 0.8, s[2])
    front = depth / 2 + 0.003
    plate_w, plate_h = width * between(0.45, 0.8, s[3]), height * between(0.2, 0.38, s[7])
    plate = sheet(plate_w, plate_h, 0, height * 0.74, front + 0.004)
    feet = [box((0.08, 0.05, 0.08), (x * width * 0.4, -0.02, z * depth * 0.4)) for x in (-1, 1) for z in (-1, 1)]
    display = sheet(width * 0.4, height * 0.12, 0, height * 0.45, front + 0.004)
    shell = box((width, height, depth), (0, height / 2, 0), between(0.005, 0.06, s[6]))
    return [
        Piece("housing", shell, "cap", gloss=0.3),
        Piece("feet", join(*feet), "dark", gloss=0.1),
        Piece("display", display, "dark", gloss=0.9),
        Piece("buttons", join(*_buttons(s, width, height, front)), "accent", gloss=0.4),
        Piece("plate", plate, "body", whole("plate", plate_w / plate_h)),
    ]


BOXED: dict[str, Build] = {
    "gable_carton": _gable_carton,
    "brick_carton": _brick_carton,
    "folding_box": _folding_box,
    "pouch": _pouch,
    "blister_card": _blister_card,
    "book": _book,
    "parcel": _parcel,
    "crate": _crate,
    "tool_case": _tool_case,
    "machine": _machine,
}
