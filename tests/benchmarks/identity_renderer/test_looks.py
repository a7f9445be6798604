"""New looks: what changes, what stays, and what is refused. Meshes are built here."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from identity_renderer.colour import difference
from identity_renderer.errors import ImpossibleChange
from identity_renderer.looks import KINDS, Kind, change, dress, looks, mean_colour
from identity_renderer.mesh import Colour, Mesh, Part
from identity_renderer.reshaping import areas, shares, taper
from identity_renderer.splitting import clumps, components, cut
from identity_renderer.textures import draw_texture
from identity_renderer.unwrapping import unwrap
from numpy.typing import NDArray

RED, BLUE = (0.8, 0.2, 0.2), (0.2, 0.3, 0.8)


def block(low: tuple[float, ...], high: tuple[float, ...], colour: Colour = RED) -> Part:
    """A box with four vertices and one normal a side."""
    vertices: list[NDArray[np.float64]] = []
    normals: list[NDArray[np.float64]] = []
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        for end in (0, 1):
            normal = np.zeros(3)
            normal[axis] = 2 * end - 1
            across, along = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            first = len(vertices)
            vertices += [end * np.eye(3)[axis] + a * across + b * along for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
            normals += [normal] * 4
            quad = (first, first + 1, first + 2, first + 3) if end else (first, first + 3, first + 2, first + 1)
            faces += [quad[:3], (quad[0], quad[2], quad[3])]
    points = np.array(low) + np.array(vertices) * (np.array(high) - np.array(low))
    return Part(
        "block", points.astype(np.float32), np.array(faces, np.int32), np.array(normals, np.float32), None, colour
    )


def thing(*parts: Part) -> Mesh:
    return Mesh("test/thing", "box", "test", "CC0-1.0", "us", parts)


def joined(*parts: Part) -> Part:
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
    return Part(
        "joined",
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + np.int32(offset) for part, offset in zip(parts, offsets, strict=False)]),
        np.concatenate([part.normals for part in parts]),
        None,
        parts[0].colour,
    )


@pytest.fixture
def table() -> Mesh:
    """A top, a leg and a foot; leg and foot look alike."""
    top = block((-0.5, 0.6, -0.4), (0.5, 0.7, 0.4), BLUE)
    return thing(top, block((-0.1, 0.1, -0.1), (0.1, 0.6, 0.1)), block((-0.2, 0.0, -0.2), (0.2, 0.1, 0.2)))


def textured_table(table: Mesh) -> Mesh:
    texture = draw_texture(np.random.default_rng(3), "checks")
    parts = [unwrap(part, 2.0, False) for part in table.parts]
    changed = [Part(p.name, p.vertices, p.faces, p.normals, p.uv, (1, 1, 1), texture) for p in parts]
    return thing(*changed[:1], *table.parts[1:])


def content(part: Part) -> tuple[object, ...]:
    arrays = (part.vertices, part.faces, part.normals, part.uv, part.texture)
    return (part.colour, part.gloss, *(None if array is None else array.tobytes() for array in arrays))


def contents(mesh: Mesh) -> list[tuple[object, ...]]:
    return [content(part) for part in mesh.parts]


def assert_sound(mesh: Mesh) -> None:
    points = np.concatenate([part.vertices for part in mesh.parts])
    low, high = points.min(axis=0), points.max(axis=0)
    assert low[1] == pytest.approx(0, abs=1e-5)
    assert (low + high)[[0, 2]] == pytest.approx(0, abs=1e-5)
    assert (high - low).max() == pytest.approx(1, abs=1e-5)
    for part in mesh.parts:
        assert len(part.faces)
        assert part.vertices.dtype == part.normals.dtype == np.float32
        assert part.faces.dtype == np.int32
        assert np.linalg.norm(part.normals, axis=1) == pytest.approx(1, abs=1e-4)
        assert (part.uv is None) == (part.texture is None)
        if part.uv is not None:
            assert part.uv.shape == (len(part.vertices), 2)
            assert part.uv.dtype == np.float32


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


MAKERS: list[Callable[[Mesh, int], Mesh]] = [
    lambda mesh, seed: dress(mesh, rng(seed)),
    *[lambda mesh, seed, kind=kind: change(mesh, kind, rng(seed))[0] for kind in KINDS],
]


@pytest.mark.parametrize("make", MAKERS, ids=["dress", *KINDS])
@pytest.mark.parametrize("pattern", [False, True], ids=["plain", "textured"])
def test_every_look_is_sound_repeatable_and_leaves_its_mesh_alone(
    make: Callable[[Mesh, int], Mesh], pattern: bool, table: Mesh
) -> None:
    mesh = textured_table(table) if pattern else table
    before = contents(mesh)
    for seed in range(12):
        made = make(mesh, seed)
        assert_sound(made)
        assert contents(made) == contents(make(mesh, seed))
        assert contents(made) != before
    assert contents(mesh) == before
    assert contents(make(mesh, 0)) != contents(make(mesh, 1))


def test_dressing_changes_every_part_and_mostly_keeps_who_looks_alike(table: Mesh) -> None:
    assert looks(table) == ((0,), (1, 2))
    alike = 0
    for seed in range(60):
        dressed = dress(table, rng(seed))
        alike += looks(dressed) == ((0,), (1, 2))
        for old, new in zip(table.parts, dressed.parts, strict=True):
            plain = new.texture is None
            assert not plain or difference(np.array(old.colour), np.array(new.colour)) > 25
    assert 40 <= alike < 60


def test_equal_textures_look_alike_even_as_copies(table: Mesh) -> None:
    texture = draw_texture(rng(0))
    parts = [replace(unwrap(part, 1.0, False), colour=(1, 1, 1), texture=texture.copy()) for part in table.parts]
    assert looks(thing(*parts)) == ((0, 1, 2),)


@pytest.mark.parametrize(("strength", "wanted"), [(0.0, 12), (0.5, 36), (1.0, 60)])
def test_a_recolour_is_as_strong_as_wanted_and_changes_nothing_else(
    strength: float, wanted: float, table: Mesh
) -> None:
    for seed in range(20):
        changed, numbers = change(table, "recolour", rng(seed), strength=strength)
        for number, (old, new) in enumerate(zip(table.parts, changed.parts, strict=True)):
            assert np.array_equal(old.vertices, new.vertices)
            distance = difference(np.array(old.colour), np.array(new.colour))
            assert distance == (pytest.approx(wanted, rel=0.15) if number in numbers else 0)
        assert shares(table)[list(numbers)].sum() >= 0.35


def test_a_retexture_keeps_the_mean_colour(table: Mesh) -> None:
    for seed in range(10):
        changed, numbers = change(table, "retexture", rng(seed))
        for number in numbers:
            assert changed.parts[number].texture is not None
            old, new = mean_colour(table.parts[number]), mean_colour(changed.parts[number])
            assert difference(np.array(old), np.array(new)) < 25


def test_proportions_change_by_an_eighth_to_a_third(table: Mesh) -> None:
    def extent(mesh: Mesh) -> NDArray[np.float64]:
        points = np.concatenate([part.vertices for part in mesh.parts])
        return np.asarray(np.ptp(points, axis=0), dtype=np.float64)

    for seed in range(30):
        changed, numbers = change(table, "proportions", rng(seed))
        assert numbers == (0, 1, 2)
        factors = extent(changed) / extent(table)
        stretch = factors.max() / factors.min()
        width = np.ptp(changed.parts[2].vertices, axis=0)[0] / np.ptp(changed.parts[0].vertices, axis=0)[0]
        tapered = width != pytest.approx(0.4, rel=1e-3)
        assert tapered or 1.11 < stretch < 1.36


def test_a_changed_part_is_one_part(table: Mesh) -> None:
    split = 0
    for seed in range(60):
        changed, (number,) = change(table, "part", rng(seed))
        before, after = contents(table), contents(changed)
        kept = [part for at, part in enumerate(before) if at != number]
        if len(after) > len(before):
            split += 1
            assert areas(changed.parts[-1]).sum() <= 0.61 * sum(areas(part).sum() for part in table.parts)
        assert all(part in after for part in kept)
        assert shares(table)[number] <= 0.6 or len(after) > len(before)
    assert split


def test_a_single_piece_is_cut_and_its_end_changed() -> None:
    mesh = thing(block((-0.3, 0, -0.3), (0.3, 1, 0.3)))
    for seed in range(15):
        changed, numbers = change(mesh, "part", rng(seed))
        assert numbers == (0,)
        rest, end = changed.parts
        whole = areas(mesh.parts[0]).sum()
        assert areas(rest).sum() + areas(end).sum() == pytest.approx(whole, rel=1e-4)
        assert 0.05 <= areas(end).sum() / whole <= 0.6
        assert rest.colour == mesh.parts[0].colour
        assert (end.colour, end.texture is None) != (rest.colour, True)


def test_a_single_part_of_pieces_is_changed_by_a_piece() -> None:
    two = joined(block((-0.5, 0, -0.5), (0.5, 0.8, 0.5)), block((-0.2, 0.8, -0.2), (0.2, 1.0, 0.2)))
    assert sorted(np.bincount(components(two))) == [12, 12]
    changed, _ = change(thing(two), "part", rng(0))
    assert [len(part.faces) for part in changed.parts] in ([12, 12], [12])


def test_nothing_is_taken_away_that_holds_something_else(table: Mesh) -> None:
    assert clumps(table) == 1
    assert clumps(thing(table.parts[0], table.parts[2])) == 2
    for seed in range(200):
        assert len(change(table, "part", rng(seed))[0].parts) >= len(table.parts)


def test_what_holds_nothing_may_be_missing() -> None:
    plate, tower = block((-0.5, 0, -0.5), (0.5, 0.2, 0.5), BLUE), block((-0.4, 0.2, -0.4), (0, 0.9, 0.4), BLUE)
    mesh = thing(joined(plate, tower), block((0.1, 0.2, -0.3), (0.4, 0.6, 0.3)))
    counts = {len(change(mesh, "part", rng(seed))[0].parts) for seed in range(60)}
    assert counts == {1, 2, 3}


def test_a_cut_is_clean_and_loses_nothing() -> None:
    part = unwrap(block((0, 0, 0), (1, 1, 1)), 1.0, False)
    halves = cut(part, 1, 0.3)
    assert halves is not None
    low, high = halves
    assert low.vertices[:, 1].max() == pytest.approx(0.3)
    assert high.vertices[:, 1].min() == pytest.approx(0.3)
    assert [areas(low).sum(), areas(high).sum()] == pytest.approx([1 + 4 * 0.3, 1 + 4 * 0.7])
    sides = np.abs(low.normals[:, 1]) < 0.5
    assert low.uv is not None
    assert low.uv[sides, 1] == pytest.approx(low.vertices[sides, 1])
    assert cut(part, 1, 2.0) is None


def test_tapered_normals_stand_on_their_faces() -> None:
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    ring = np.stack([np.cos(angles), np.zeros(240), np.sin(angles)], axis=1)
    vertices = np.concatenate([ring * 0.3, ring * 0.3 + (0, 1, 0)])
    at, after = np.arange(240), (np.arange(240) + 1) % 240
    faces = np.concatenate([np.stack([at, at + 240, after], axis=1), np.stack([after, at + 240, after + 240], axis=1)])
    tube = Part(
        "tube", vertices.astype(np.float32), faces.astype(np.int32), np.tile(ring, (2, 1)).astype(np.float32), None, RED
    )
    for strength in (0.3, -0.3):
        part = taper(thing(tube), strength).parts[0]
        a, b, c = (part.vertices[part.faces[:, corner]] for corner in range(3))
        flat = np.cross(b - a, c - a)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        assert (flat * part.normals[part.faces[:, 0]]).sum(axis=1) == pytest.approx(1, abs=2e-3)


def test_a_pattern_repeats_evenly_with_and_without_coordinates() -> None:
    bare = block((0, 0, 0), (1, 0.5, 0.25))
    projected = unwrap(bare, 3.0, False)
    rescaled = unwrap(projected, 6.0, False)
    assert projected.uv is not None
    assert rescaled.uv is not None
    assert np.ptp(projected.uv, axis=0).max() == pytest.approx(3.0)
    assert rescaled.uv == pytest.approx(projected.uv * 2, rel=1e-4)
    assert areas(projected).sum() == pytest.approx(areas(bare).sum())


def test_a_stick_has_no_other_proportions() -> None:
    with pytest.raises(ImpossibleChange, match="test/thing"):
        change(thing(block((-0.02, 0, -0.02), (0.02, 1, 0.02))), "proportions", rng(0))


def test_unknown_kinds_and_strengths_are_refused(table: Mesh) -> None:
    unknown: Kind = "shine"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="'shine'"):
        change(table, unknown, rng(0))
    with pytest.raises(ValueError, match="strength is 2"):
        change(table, "recolour", rng(0), strength=2)
