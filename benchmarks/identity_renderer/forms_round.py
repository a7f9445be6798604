"""Packages that were turned, blown or drawn: tubs, beakers, bottles, cans, jars, tubes, sprays and buckets."""

from __future__ import annotations

from identity_renderer.pieces import Build, Piece, between, whole, wrap
from identity_renderer.solids import (
    Section,
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


def _cut(kind: float, y: float, x: float, z: float) -> Section:
    """Return a section that is round, oval or a rounded square, by a number 0 to 1."""
    if kind < 0.55:
        return round_section(y, x)
    if kind < 0.8:
        return round_section(y, x, z)
    return box_section(y, x, z, min(x, z) * 0.5)


def _tub(s: Sizes) -> list[Piece]:
    width, height, taper = between(0.35, 0.55, s[0]), between(0.2, 0.7, s[1]), between(0.78, 0.97, s[2])
    depth = width * between(0.65, 1, s[3])
    low, high = _cut(s[4], 0, width * taper, depth * taper), _cut(s[4], height, width, depth)
    lip = [_cut(s[4], height + y, width * k, depth * k) for y, k in ((-0.03, 1.03), (0.03, 1.03), (0.04, 1.0))]
    return [
        Piece("side", loft([low, high]), "body", wrap(high, height, 0.42), gloss=0.35),
        Piece("bottom", end(low, up=False), "body"),
        Piece("lid", loft(lip), "cap", gloss=0.35),
        Piece("lid top", end(lip[-1], up=True), "cap", whole("top", width / depth), gloss=0.35),
    ]


def _beaker(s: Sizes) -> list[Piece]:
    radius, height, taper = between(0.24, 0.4, s[0]), between(0.45, 0.95, s[1]), between(0.68, 0.92, s[2])
    low, high = round_section(0, radius * taper), round_section(height, radius)
    rim = [round_section(height + y, radius * k) for y, k in ((0, 1), (0, 1.07), (0.015, 1.07))]
    foil = round_section(height + 0.016, radius * 1.07)
    return [
        Piece("side", loft([low, high]), "body", wrap(high, height, 0.42)),
        Piece("bottom", end(low, up=False), "body"),
        Piece("rim", loft(rim), "page"),
        Piece("foil", end(foil, up=True), "cap", whole("top", 1), gloss=0.7),
    ]


def _flask(s: Sizes, height: float) -> tuple[list[Piece], float]:
    """Return a bottle without its cap, and the radius of its neck; the neck ends at 1.2 times `height`."""
    width = between(0.17, 0.3, s[1])
    depth = width * between(0.55, 1, s[2])
    neck = min(width, depth) * between(0.3, 0.6, s[3])
    label_low, label_high = height * between(0.08, 0.25, s[4]), height * between(0.68, 0.92, s[5])
    waist = between(0.92, 1.0, s[6])
    foot = [_cut(s[7], y, width * k, depth * k) for y, k in ((0, 0.88), (0.02, 0.98), (label_low, 1))]
    label = [_cut(s[7], y, width * k, depth * k) for y, k in ((label_low, 1), (label_high, waist))]
    shoulder = [_cut(s[7], label_high, width * waist, depth * waist), _cut(s[7], height * 0.95, width * waist, depth)]
    shoulder[1] = _cut(s[7], max(height * 0.95, label_high + 0.02), width * waist * 0.97, depth * waist * 0.97)
    shoulder += [round_section(height * 1.06, (width * 0.4 + neck * 0.6)), round_section(height * 1.12, neck)]
    shoulder.append(round_section(height * 1.2, neck * 0.95))
    pieces = [
        Piece("foot", join(loft(foot), end(foot[0], up=False)), "body", gloss=0.6),
        Piece("label", loft(label), "body", wrap(label[0], label_high - label_low, 0.44), gloss=0.3),
        Piece("shoulder", loft(shoulder), "body", gloss=0.6),
    ]
    return pieces, neck


def _bottle(s: Sizes) -> list[Piece]:
    height = between(0.5, 0.9, s[0])
    pieces, neck = _flask(s, height)
    top, tall = height * 1.14, between(0.06, 0.16, s[4])
    cap = [round_section(top + y, neck * k) for y, k in ((0, 1.2), (tall * 0.9, 1.15), (tall, 1.0))]
    return [*pieces, Piece("cap", solid(cap), "cap", gloss=0.4)]


def _spray(s: Sizes) -> list[Piece]:
    height = between(0.5, 0.7, s[0])
    pieces, neck = _flask(s, height)
    top = height * 1.14
    collar = solid([round_section(top, neck * 1.2), round_section(top + 0.07, neck)])
    head = box((0.1, 0.1, 0.26), (0, top + 0.13, 0.03), 0.03)
    nozzle = moved(tilted(solid([round_section(0, 0.03), round_section(0.05, 0.025)]), 90), 0, top + 0.14, 0.16)
    lever = moved(tilted(box((0.05, 0.16, 0.025), (0, -0.08, 0)), -25), 0, top + 0.1, 0.1)
    return [*pieces, Piece("head", join(collar, head), "cap"), Piece("lever", join(nozzle, lever), "accent")]


def _can(s: Sizes) -> list[Piece]:
    radius, height = between(0.2, 0.42, s[0]), between(0.3, 1.0, s[1])
    neck = between(0.86, 1.0, s[2])
    low, high = round_section(0.03, radius), round_section(height, radius)
    foot = [round_section(0, radius * neck), round_section(0.03, radius)]
    top = [round_section(height, radius), round_section(height + 0.04, radius * neck)]
    rim = [
        round_section(height + y, radius * neck * k)
        for y, k in ((0.04, 1.02), (0.06, 1.02), (0.06, 0.95), (0.04, 0.93))
    ]
    metal = [loft(foot), end(foot[0], up=False), loft(top), loft(rim), end(rim[-1], up=True)]
    return [
        Piece("side", loft([low, high]), "body", wrap(high, height, 0.42), gloss=between(0.2, 0.8, s[3])),
        Piece("ends", join(*metal), "metal", gloss=0.8),
    ]


def _aerosol(s: Sizes) -> list[Piece]:
    radius, height = between(0.13, 0.22, s[0]), between(0.6, 0.85, s[1])
    low, high = round_section(0.02, radius), round_section(height, radius)
    dome = between(0.06, 0.2, s[2])
    cap = [round_section(height + dome * y, radius * k) for y, k in ((0, 0.97), (0.7, 0.93), (0.9, 0.75), (1, 0.4))]
    foot = [round_section(0, radius * 0.95), round_section(0.02, radius)]
    return [
        Piece("side", loft([low, high]), "body", wrap(high, height, 0.46), gloss=0.6),
        Piece("foot", join(loft(foot), end(foot[0], up=False)), "metal", gloss=0.8),
        Piece("cap", solid(cap), "cap", gloss=0.4),
    ]


def _jar(s: Sizes) -> list[Piece]:
    width, height = between(0.28, 0.42, s[0]), between(0.35, 0.8, s[1])
    cut = s[2] * 0.54 if s[2] < 0.7 else 0.9
    low, high = height * between(0.1, 0.2, s[3]), height * between(0.7, 0.85, s[4])
    mouth = between(0.75, 0.95, s[5])
    foot = [_cut(cut, y, width * k, width * k) for y, k in ((0, 0.9), (0.03, 0.99), (low, 1))]
    label = [_cut(cut, y, width, width) for y in (low, high)]
    shoulder = [_cut(cut, high, width, width), _cut(cut, height * 0.92, width * 0.97, width * 0.97)]
    shoulder.append(round_section(height, width * mouth * 0.95))
    tall = between(0.07, 0.14, s[6])
    lid = [round_section(height - 0.02 + y, width * mouth * k) for y, k in ((0, 1.0), (tall * 0.9, 1), (tall, 0.95))]
    return [
        Piece("foot", join(loft(foot), end(foot[0], up=False)), "body", gloss=0.7),
        Piece("label", loft(label), "body", wrap(label[0], high - low, 0.44), gloss=0.25),
        Piece("shoulder", loft(shoulder), "body", gloss=0.7),
        Piece("lid", loft(lid), "cap", gloss=0.5),
        Piece("lid top", end(lid[-1], up=True), "cap", whole("top", 1), gloss=0.4),
    ]


def _tube(s: Sizes) -> list[Piece]:
    width, height, cap = between(0.16, 0.28, s[0]), between(0.65, 0.95, s[1]), between(0.08, 0.18, s[2])
    radius = width * between(0.6, 0.75, s[3])
    levels = ((0, radius, radius), (0.5, (radius + width) / 2, radius * 0.6), (0.93, width, 0.02), (1, width, 0.012))
    skin = [round_section(cap + y * height, x, z) for y, x, z in levels]
    lower = [round_section(y, radius * k) for y, k in ((0, between(0.6, 1, s[4])), (cap, 0.97))]
    return [
        Piece("skin", loft(skin), "body", wrap(skin[1], height, 0.48), gloss=0.5),
        Piece("cap", solid(lower), "cap", gloss=0.4),
    ]


def _bucket(s: Sizes) -> list[Piece]:
    radius, height, taper = between(0.35, 0.5, s[0]), between(0.5, 0.9, s[1]), between(0.75, 0.95, s[2])
    low, high = round_section(0, radius * taper), round_section(height, radius)
    lid = [round_section(height + y, radius * k) for y, k in ((-0.05, 1.04), (0.03, 1.04), (0.03, 0.96), (0.01, 0.95))]
    ears = [box((0.03, 0.06, 0.07), (x * radius * 1.02, height * 0.85, 0)) for x in (-1, 1)]
    tag = sheet(radius * 0.3, 0.05, 0, height - 0.01, radius * 1.045)
    return [
        Piece("side", loft([low, high]), "body", wrap(high, height, 0.42), gloss=0.35),
        Piece("bottom", end(low, up=False), "body"),
        Piece("lid", join(loft(lid), *ears), "cap"),
        Piece("lid top", end(lid[-1], up=True), "cap", whole("top", 1)),
        Piece("tag", tag, "accent"),
    ]


ROUND: dict[str, Build] = {
    "tub": _tub,
    "beaker": _beaker,
    "bottle": _bottle,
    "spray": _spray,
    "can": _can,
    "aerosol": _aerosol,
    "jar": _jar,
    "tube": _tube,
    "bucket": _bucket,
}
