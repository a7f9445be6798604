"""Packages: whole meshes, the same every time, and changes that change what they say."""

from dataclasses import replace

import numpy as np
import pytest
from identity_renderer.design import Design
from identity_renderer.forms import KINDS
from identity_renderer.mesh import Mesh, make_generator
from identity_renderer.packages import PackageEntry, change_package, list_packages, make_package
from identity_renderer.products import random_form
from identity_renderer.typefaces import BUILT_IN, MissingTypefaceError, load_font

# Pillow's own typeface, so that the tests need no other package.
FACES = (BUILT_IN,)


@pytest.fixture(scope="module")
def entries() -> list[PackageEntry]:
    return list_packages(40, 7, FACES)


def of_kind(entry: PackageEntry, kind: str) -> PackageEntry:
    form = random_form(make_generator("test form", kind), kind)
    return replace(entry, category=kind, design=replace(entry.design, form=form))


def prints(mesh: Mesh) -> list[np.ndarray]:
    return [part.texture for part in mesh.parts if part.texture is not None]


def same(first: Mesh, second: Mesh) -> bool:
    def equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
        return one is other if one is None or other is None else np.array_equal(one, other)

    return len(first.parts) == len(second.parts) and all(
        a.colour == b.colour and equal(a.texture, b.texture) and equal(a.vertices, b.vertices)
        for a, b in zip(first.parts, second.parts, strict=True)
    )


def bounds(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([part.vertices for part in mesh.parts])
    return points.min(axis=0), points.max(axis=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_a_whole_mesh(entries: list[PackageEntry], kind: str) -> None:
    mesh = make_package(of_kind(entries[0], kind))
    low, high = bounds(mesh)
    assert low[1] == pytest.approx(0, abs=1e-6)
    assert (high - low).max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose((low + high)[[0, 2]], 0, atol=1e-5)
    assert prints(mesh)
    for part in mesh.parts:
        assert part.faces.min() >= 0
        assert part.faces.max() < len(part.vertices)
        np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-5)
        assert (part.uv is None) == (part.texture is None)


@pytest.mark.parametrize("kind", KINDS)
def test_normals_look_the_way_the_faces_turn(entries: list[PackageEntry], kind: str) -> None:
    for part in make_package(of_kind(entries[0], kind)).parts:
        corners = part.vertices[part.faces].astype(np.float64)
        turned = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(turned, axis=1)
        agreement = np.einsum("fk,fk->f", turned, part.normals[part.faces].mean(axis=1))[length > 1e-7]
        assert (agreement > 0).all(), part.name


@pytest.mark.parametrize("kind", KINDS)
def test_a_print_reads_from_left_to_right_at_the_front(entries: list[PackageEntry], kind: str) -> None:
    for part in make_package(of_kind(entries[0], kind)).parts:
        if part.uv is None:
            continue
        front = part.normals[:, 2] > 0.6
        if front.sum() > 2 and np.ptp(part.uv[front, 0]) > 0.05:
            assert np.corrcoef(part.vertices[front, 0], part.uv[front, 0])[0, 1] > 0.9, part.name


def test_a_longer_list_begins_with_a_shorter_one(entries: list[PackageEntry]) -> None:
    assert list_packages(25, 7, FACES) == entries[:25]
    assert list_packages(5, 8, FACES) != entries[:5]


def test_names_are_unique_and_lines_are_shared(entries: list[PackageEntry]) -> None:
    assert len({entry.name for entry in entries}) == len(entries)
    lines = [entry.line for entry in entries]
    alone = sum(lines.count(line) == 1 for line in lines)
    assert 0.2 < alone / len(lines) < 0.8
    for entry in entries:
        of_line = [other for other in entries if other.line == entry.line]
        assert {other.design.brand for other in of_line} == {entry.design.brand}
        assert len({other.design.product.picture for other in of_line}) == len(of_line)


def test_a_package_is_the_same_every_time(entries: list[PackageEntry]) -> None:
    assert same(make_package(entries[3]), make_package(entries[3]))
    assert make_package(entries[3]).name == entries[3].line


@pytest.mark.parametrize("kind", ["flavour", "relabel", "recolour", "part", "proportions"])
def test_a_change_shows_and_follows_its_generator(entries: list[PackageEntry], kind: str) -> None:
    for number, entry in enumerate(entries[:12]):
        once, again = (change_package(entry, kind, make_generator("change", number)) for _ in range(2))  # type: ignore[arg-type]
        assert same(once, again)
        assert not same(once, make_package(entry)), (kind, entry.category)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_change_shows(entries: list[PackageEntry], kind: str) -> None:
    entry = of_kind(entries[0], kind)
    mesh = make_package(entry)
    for number in range(6):
        assert not same(change_package(entry, "part", make_generator("part", number)), mesh)


def test_a_flavour_keeps_the_form_and_is_no_sibling(entries: list[PackageEntry]) -> None:
    for entry in entries[:12]:
        mesh, changed = make_package(entry), change_package(entry, "flavour", make_generator("flavour"))
        for before, after in zip(mesh.parts, changed.parts, strict=True):
            np.testing.assert_array_equal(before.vertices, after.vertices)
        for sibling in entry.siblings:
            design = Design(entry.design.brand, sibling, entry.design.form)
            assert not same(changed, make_package(replace(entry, design=design)))


def test_proportions_change_the_form_alone(entries: list[PackageEntry]) -> None:
    for entry in entries[:12]:
        changed = change_package(entry, "proportions", make_generator("proportions"))
        before, after = (np.subtract(*bounds(mesh)) for mesh in (make_package(entry), changed))
        assert np.abs(before - after).max() > 0.02
        assert [part.colour for part in changed.parts] == [part.colour for part in make_package(entry).parts]


def test_an_unknown_change_is_refused(entries: list[PackageEntry]) -> None:
    with pytest.raises(ValueError, match="cannot change a package by 'smell'; expected one of flavour"):
        change_package(entries[0], "smell", make_generator("x"))  # type: ignore[arg-type]


def test_an_unknown_typeface_is_refused() -> None:
    with pytest.raises(MissingTypefaceError, match="there is no typeface 'gothic'; expected one of aileron"):
        load_font("gothic", 12)
