"""New looks for meshes: another thing of the same mesh, and near-identity distractors of the same thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from identity_renderer.colour import (
    as_colour,
    draw_colour,
    draw_shift,
    from_lab,
    shift_texture,
    to_lab,
)
from identity_renderer.errors import ImpossibleChange
from identity_renderer.mesh import Colour, Mesh, Part
from identity_renderer.reshaping import areas, bounds, scale, shares, taper
from identity_renderer.splitting import clumps, components, select, slab
from identity_renderer.textures import draw_texture, draw_texture_around
from identity_renderer.unwrapping import unwrap

Kind = Literal["recolour", "retexture", "proportions", "part"]
_Alteration = Callable[[list[Part], np.random.Generator, float], list[Part]]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""How a distractor may differ."""

# CIELAB differences of a recolour, from just visible to plain.
_SHIFT = (12.0, 60.0)
_STRETCH = (0.12, 0.35)
# A changed part is a part: large enough to be seen, never most of the thing.
_PART_SHARE = (0.05, 0.6)
# A change of whole looks has to reach this share of the surface.
_WHOLE_SHARE = 0.35


def looks(mesh: Mesh) -> tuple[tuple[int, ...], ...]:
    """Return the numbers of the parts that look alike, in groups, in order of their first part."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, part in enumerate(mesh.parts):
        # Some pixels are enough to tell textures apart, and equal textures need not be one array.
        texture = None if part.texture is None else part.texture[::8, ::8].tobytes()
        groups.setdefault((part.colour, texture), []).append(number)
    return tuple(tuple(group) for group in groups.values())


def dress(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Make another thing of the same mesh: other colours, patterns, gloss and proportions.

    Args:
        mesh: Is not changed.
        rng: Decides everything.

    Returns:
        A mesh with the same number of parts; parts that looked alike mostly still do.
    """
    parts = list(mesh.parts)
    for group in looks(mesh):
        whole = rng.random() < 0.85
        for members in [group] if whole else [(number,) for number in group]:
            for number, part in zip(members, _finish([mesh.parts[number] for number in members], rng), strict=True):
                parts[number] = part
    dressed = replace(mesh, parts=tuple(parts))
    if rng.random() < 0.25:
        return dressed
    return scale(dressed, np.exp(rng.uniform(np.log(0.8), np.log(1.25), 3)))


def _finish(parts: list[Part], rng: np.random.Generator) -> list[Part]:
    """Give parts that look alike one new finish: plain, patterned, or their own texture in other colours."""
    gloss = round(float(rng.choice([0.05, 0.2, 0.45, 0.8]) * rng.uniform(0.7, 1.2)), 3)
    texture = parts[0].texture
    draw = rng.random()
    if texture is not None and draw < 0.35:
        shift = draw_shift(rng, _samples(parts[0]), rng.uniform(30, 75))
        return [replace(part, texture=shift_texture(texture, shift), gloss=gloss) for part in parts]
    if draw < 0.62:
        colour = _distant_colour(rng, mean_colour(parts[0]))
        return [replace(part, colour=colour, texture=None, uv=None, gloss=gloss) for part in parts]
    return _cover(parts, draw_texture(rng), rng, gloss)


def _cover(parts: list[Part], texture: NDArray[np.uint8], rng: np.random.Generator, gloss: float | None) -> list[Part]:
    """Cover parts with one pattern at one scale."""
    repeats, quarter = float(np.exp(rng.uniform(np.log(0.8), np.log(4.0)))), bool(rng.random() < 0.3)
    return [
        replace(
            unwrap(part, repeats, quarter),
            colour=(1.0, 1.0, 1.0),
            texture=texture,
            gloss=part.gloss if gloss is None else gloss,
        )
        for part in parts
    ]


def _distant_colour(rng: np.random.Generator, old: Colour) -> Colour:
    """Draw a colour that nobody takes for the old one."""
    for _ in range(30):
        lab = draw_colour(rng)
        if np.linalg.norm(lab - to_lab(np.array(old))) >= 30:
            break
    return as_colour(from_lab(lab))


def _samples(part: Part) -> NDArray[np.float32]:
    """Return some of the colours (N, 3) that a part shows, without its own colour over a texture."""
    if part.texture is None or part.uv is None:
        return np.array([part.colour], dtype=np.float32)
    # At the middles of faces, by area: most of an atlas is never seen.
    reach = np.cumsum(areas(part))
    faces = np.searchsorted(reach, (np.arange(600) + 0.5) / 600 * reach[-1])
    inside = np.mod(part.uv[part.faces[faces]].mean(axis=1), 1)
    height, width = part.texture.shape[:2]
    rows = np.minimum(((1 - inside[:, 1]) * height).astype(np.int64), height - 1)
    columns = np.minimum((inside[:, 0] * width).astype(np.int64), width - 1)
    return np.asarray(part.texture[rows, columns] / 255, dtype=np.float32)


def mean_colour(part: Part) -> Colour:
    """Return the mean sRGB colour of a part's surface."""
    mean = _samples(part).mean(axis=0)
    return as_colour(mean if part.texture is None else mean * np.array(part.colour))


def change(
    mesh: Mesh, kind: Kind, rng: np.random.Generator, *, strength: float | None = None
) -> tuple[Mesh, tuple[int, ...]]:
    """Make a near-identity distractor: the same thing but for one kind of difference.

    Args:
        mesh: Is not changed.
        kind: "recolour", "retexture", "proportions" or "part".
        rng: Decides everything else.
        strength: 0 just visible to 1 plain; drawn if None.

    Returns:
        The changed mesh, and the numbers in `mesh` of the parts that changed; of a part that was split or taken away,
        the number it had.

    Raises:
        ImpossibleChange: The mesh has nothing that this kind could act on.
        ValueError: There is no such kind, or the strength is outside of 0 to 1.
    """
    if kind not in KINDS:
        raise ValueError(f"No kind of change is called {kind!r}: expected one of {', '.join(KINDS)}")
    level = float(rng.random()) if strength is None else strength
    if not 0 <= level <= 1:
        raise ValueError(f"strength is {strength}: expected 0 (just visible) to 1 (plain)")
    if kind == "proportions":
        return _stretched(mesh, rng, level), tuple(range(len(mesh.parts)))
    if kind == "part":
        return _part_changed(mesh, rng, level)
    chosen = _some_looks(mesh, rng)
    alter = _recoloured if kind == "recolour" else _retextured
    return _with_parts(mesh, chosen, alter, rng, level), tuple(sorted(number for group in chosen for number in group))


def _some_looks(mesh: Mesh, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Choose groups of parts that look alike until they are a good share of the surface; sometimes all."""
    groups, share = looks(mesh), shares(mesh)
    if rng.random() < 0.3:
        return list(groups)
    chosen: list[tuple[int, ...]] = []
    for number in rng.permutation(len(groups)):
        chosen.append(groups[number])
        if sum(share[list(group)].sum() for group in chosen) >= _WHOLE_SHARE:
            break
    return chosen


def _with_parts(
    mesh: Mesh, groups: list[tuple[int, ...]], alter: _Alteration, rng: np.random.Generator, level: float
) -> Mesh:
    parts = list(mesh.parts)
    for group in groups:
        for number, part in zip(group, alter([mesh.parts[number] for number in group], rng, level), strict=True):
            parts[number] = part
    return replace(mesh, parts=tuple(parts))


def _recoloured(parts: list[Part], rng: np.random.Generator, level: float) -> list[Part]:
    shift = draw_shift(rng, _samples(parts[0]), _between(_SHIFT, level))
    if parts[0].texture is not None:
        texture = shift_texture(parts[0].texture, shift)
        return [replace(part, texture=texture) for part in parts]
    colour = as_colour(from_lab(to_lab(np.array(parts[0].colour)) + shift))
    return [replace(part, colour=colour) for part in parts]


def _retextured(parts: list[Part], rng: np.random.Generator, level: float) -> list[Part]:
    """Change the pattern and keep the mean colour; a strong pattern may go altogether."""
    mean, samples = mean_colour(parts[0]), to_lab(_samples(parts[0]))
    busy = float(np.linalg.norm(samples - samples.mean(axis=0), axis=1).mean())
    if busy > 10 and rng.random() < 0.25:
        return [replace(part, colour=mean, texture=None, uv=None) for part in parts]
    return _cover(parts, draw_texture_around(rng, mean, 36 + 44 * level), rng, None)


def _stretched(mesh: Mesh, rng: np.random.Generator, level: float) -> Mesh:
    low, high = bounds(mesh)
    # Stretching a rug's thickness shows nowhere.
    axes = np.flatnonzero(high - low >= 0.12)
    if len(axes) < 2:
        raise ImpossibleChange(f"{mesh.name} is long along one axis only: no other proportions would show")
    amount = _between(_STRETCH, level)
    # Only what stands upright narrows believably; a low bench's legs would lean.
    if len(axes) == 3 and high[1] - low[1] >= 0.5 and rng.random() < 0.3:
        return taper(mesh, amount * 1.3 if rng.random() < 0.6 else -amount * 1.3)
    factors = np.ones(3)
    # One axis fewer than show: all of them together would be nothing but another size.
    chosen = rng.permutation(axes)[: int(rng.integers(1, len(axes)))]
    factors[chosen] = 1 + amount if rng.random() < 0.5 else 1 / (1 + amount)
    return scale(mesh, factors)


def _part_changed(mesh: Mesh, rng: np.random.Generator, level: float) -> tuple[Mesh, tuple[int, ...]]:
    share = shares(mesh)
    candidates = [number for number in range(len(mesh.parts)) if _PART_SHARE[0] <= share[number] <= _PART_SHARE[1]]
    if candidates and rng.random() < 0.75:
        weights = share[candidates] / share[candidates].sum()
        split, number = mesh, int(rng.choice(candidates, p=weights))
        target = number
    else:
        number = int(rng.choice(len(share), p=share))
        split, target = _split(mesh, number, rng)
    if rng.random() < 0.3:
        without = replace(split, parts=tuple(part for at, part in enumerate(split.parts) if at != target))
        if np.allclose(bounds(without), bounds(split), atol=0.02) and 0 < clumps(without) <= clumps(split):
            return without, (number,)
    alter = _recoloured if rng.random() < 0.6 else _retextured
    # Little of the thing changes, so what changes does so plainly.
    return _with_parts(split, [(target,)], alter, rng, 0.3 + 0.7 * level), (number,)


def _split(mesh: Mesh, number: int, rng: np.random.Generator) -> tuple[Mesh, int]:
    """Split a part into two; the new one comes last and its number is returned."""
    part, whole = mesh.parts[number], float(shares(mesh)[number])
    labels = components(part)
    surfaces = np.bincount(labels, weights=areas(part))
    share = surfaces / surfaces.sum() * whole
    fitting = np.flatnonzero((share >= _PART_SHARE[0]) & (share <= _PART_SHARE[1]))
    # A part of one piece is never split off as a whole: nothing would be left of it.
    if len(fitting) and len(share) > 1:
        piece = labels == rng.choice(fitting)
        rest, end = select(part, ~piece), select(part, piece)
    else:
        ends = slab(part, rng, max(0.12, _PART_SHARE[0] / whole), 0.5)
        if ends is None:
            raise ImpossibleChange(f"{mesh.name} has no part, piece or end of a fitting size that could differ")
        rest, end = ends
    parts = [*mesh.parts, replace(end, name=f"{part.name} (split)")]
    parts[number] = rest
    return replace(mesh, parts=tuple(parts)), len(parts) - 1


def _between(limits: tuple[float, float], level: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * level
