"""Furniture archives: what is listed, how it is placed, and what is refused. Small archives are written here."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from identity_renderer.archives import FURNITURE, MeshEntry, list_meshes, load_mesh
from identity_renderer.errors import MeshError
from identity_renderer.families import family
from identity_renderer.mesh import Mesh
from PIL import Image

CUBE_POINTS = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
CUBE_SIDES = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]


def cube(extra: str = "") -> str:
    points = "\n".join(f"v {x} {y} {z}" for x, y, z in CUBE_POINTS)
    sides = "\n".join("f " + " ".join(map(str, side)) for side in CUBE_SIDES)
    return f"mtllib thing.mtl\n{points}\n{extra}\nusemtl red\ns 1\n{sides}\n"


def write_archive(folder: Path, things: dict[str, str], mtl: str = "", **facts: str) -> Path:
    """Write `Scopia.sh3f` with OBJ texts by name; `facts` go into every entry."""
    lines = []
    with zipfile.ZipFile(folder / "Scopia.sh3f", "w") as archive:
        for number, (name, obj) in enumerate(things.items(), start=1):
            entry = {
                "name": name,
                "category": "Kitchen",
                "creator": "Someone",
                "model": f"/scopia/{name}/thing{number}.obj",
            }
            entry |= {"width": "100", "depth": "100", "height": "100"} | facts
            lines += [f"{key}#{number}={value}" for key, value in entry.items()]
            archive.writestr(f"scopia/{name}/thing{number}.obj", obj)
            archive.writestr(f"scopia/{name}/thing{number}.mtl", mtl or "newmtl red\nKd 0.8 0.1 0.1\n")
        archive.writestr("PluginFurnitureCatalog.properties", "\n".join(lines))
    return folder


def only(folder: Path) -> tuple[MeshEntry, Mesh]:
    (entry,) = list_meshes(folder)
    return entry, load_mesh(entry, folder)


def assert_normalised(mesh: Mesh) -> None:
    points = np.concatenate([part.vertices for part in mesh.parts])
    low, high = points.min(axis=0), points.max(axis=0)
    assert low[1] == pytest.approx(0, abs=1e-5)
    assert (low + high)[[0, 2]] == pytest.approx(0, abs=1e-5)
    assert (high - low).max() == pytest.approx(1, abs=1e-5)
    for part in mesh.parts:
        assert part.vertices.dtype == part.normals.dtype == np.float32
        assert part.faces.dtype == np.int32
        assert 0 <= part.faces.min() <= part.faces.max() < len(part.vertices) == len(part.normals)
        assert np.linalg.norm(part.normals, axis=1) == pytest.approx(1, abs=1e-4)
        if part.uv is not None:
            assert part.uv.shape == (len(part.vertices), 2)


def test_true_size_and_rotation_are_applied(tmp_path: Path) -> None:
    # The rotation swaps x and z; then the thing is 2 m wide, 1 m high and half a metre deep.
    folder = write_archive(tmp_path, {"pot": cube()}, width="200", depth="50", modelRotation="0 0 1 0 1 0 -1 0 0")
    entry, mesh = only(folder)
    assert (entry.name, entry.category, entry.licence, entry.creator) == (
        "Scopia/thing1",
        "vessel",
        "CC-BY-3.0",
        "Someone",
    )
    assert_normalised(mesh)
    assert np.ptp(mesh.parts[0].vertices, axis=0) == pytest.approx([1, 0.5, 0.25])
    assert mesh.parts[0].colour == (0.8, 0.1, 0.1)


def test_a_smoothed_cube_keeps_its_edges(tmp_path: Path) -> None:
    _, mesh = only(write_archive(tmp_path, {"pot": cube()}))
    part = mesh.parts[0]
    corners = part.vertices[part.faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert part.normals[part.faces] == pytest.approx(np.repeat(flat[:, None], 3, axis=1), abs=1e-6)
    assert len(part.faces) == 12


@pytest.mark.parametrize("capped", [False, True])
def test_a_smooth_ring_shares_its_normals(tmp_path: Path, capped: bool) -> None:
    angles = np.arange(24) * np.pi / 12
    points = [f"v {np.cos(a)} {y} {np.sin(a)}" for a in angles for y in (0, 1)]
    sides = [f"f {2 * n + 1} {2 * n + 2} {(2 * n + 3) % 48 + 1} {(2 * n + 2) % 48 + 1}" for n in range(24)]
    cap = ["f " + " ".join(str(2 * n + 2) for n in reversed(range(24)))] if capped else []
    obj = "\n".join([*points, "s 1", "usemtl red", *cap, *sides])
    part = only(write_archive(tmp_path, {"pot": obj}, width="200", depth="200"))[1].parts[0]
    outward = part.vertices * (1, 0, 1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    around = np.abs((part.normals * outward).sum(axis=1))
    up = np.abs(part.normals[:, 1])
    # The rim is an edge: the wall stays round and the lid flat.
    assert np.minimum(np.abs(around - 1), np.abs(up - 1)) == pytest.approx(0, abs=1e-4)
    assert (up > 0.5).any() == capped


def test_stray_vertices_do_not_shrink_a_thing(tmp_path: Path) -> None:
    _, mesh = only(write_archive(tmp_path, {"pot": cube("v 900 900 900\nv nan 0 0")}))
    assert_normalised(mesh)


def textured(name: str) -> str:
    return f"newmtl red\nKd 0 0 0\nmap_Kd {name}\n"


def picture(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(buffer, "PNG")
    return buffer.getvalue()


SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl red\nf 1/1 2/2 3/3 4/4\n"


def test_textures_are_reduced_and_shown_in_their_own_colours(tmp_path: Path) -> None:
    write_archive(tmp_path, {"pot": SQUARE}, textured("cloth.png"))
    with zipfile.ZipFile(tmp_path / "Scopia.sh3f", "a") as archive:
        archive.writestr("scopia/pot/cloth.png", picture((1500, 700)))
    part = only(tmp_path)[1].parts[0]
    assert part.texture is not None
    assert max(part.texture.shape) == 512
    assert part.texture.reshape(-1, 3).mean(axis=0) == pytest.approx([10, 200, 30])
    assert part.colour == (1, 1, 1)
    assert part.uv is not None
    # Texture coordinates stay with their corners: u grows with x and v with y.
    assert part.uv == pytest.approx(part.vertices[:, :2] + [0.5, 0])


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/secret.png", "..\\..\\secret.png", "C:/secret.png"])
def test_a_texture_path_points_nowhere_but_beside_its_mesh(tmp_path: Path, name: str) -> None:
    write_archive(tmp_path, {"pot": SQUARE}, textured(name))
    with zipfile.ZipFile(tmp_path / "Scopia.sh3f", "a") as archive:
        archive.writestr("secret.png", picture((4, 4)))
    (tmp_path / "secret.png").write_bytes(picture((4, 4)))
    assert only(tmp_path)[1].parts[0].texture is None


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ("v 0 0 0\n", "0 triangles"),
        (cube("f 1 2 99"), "does not hold"),
        (cube("f -1 -2 -3"), "does not hold"),
        (cube().replace("v 1 1 1", "v 1 inf 1"), "non-finite"),
        (cube().replace("v 1 1 1", "v 1 up 1"), "no number"),
        ("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "no area"),
        ("v 0 0 0\nf 1 1 1\n", "single point"),
        (cube() + "f 1 2 4\n" * 300_000, "300012 triangles"),
    ],
    ids=["empty", "index", "relative", "infinite", "text", "line", "point", "large"],
)
def test_a_broken_mesh_is_refused(tmp_path: Path, obj: str, message: str) -> None:
    (entry,) = list_meshes(write_archive(tmp_path, {"pot": obj}))
    with pytest.raises(MeshError, match=message):
        load_mesh(entry, tmp_path)


def test_a_damaged_texture_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, {"pot": SQUARE}, textured("cloth.png"))
    with zipfile.ZipFile(tmp_path / "Scopia.sh3f", "a") as archive:
        archive.writestr("scopia/pot/cloth.png", picture((64, 64))[:60])
    (entry,) = list_meshes(tmp_path)
    with pytest.raises(MeshError, match="cannot be decoded"):
        load_mesh(entry, tmp_path)


def test_people_and_twins_are_left_out(tmp_path: Path) -> None:
    write_archive(tmp_path, {"Sitting girl": cube("# 1"), "pot": cube("# 2"), "jar": cube("# 2"), "fork": cube("# 3")})
    assert [entry.title for entry in list_meshes(tmp_path)] == ["pot", "fork"]


def test_parts_of_buildings_are_left_out(tmp_path: Path) -> None:
    assert list_meshes(write_archive(tmp_path, {"gate": cube()}, doorOrWindow="true")) == []


def test_an_empty_folder_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="sweethome3d-furniture"):
        list_meshes(tmp_path)


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Desk lamp", "lamp"),
        ("Piano bench", "bench"),
        ("Chair with cushion", "chair"),
        ("Dog house", "fence"),
        ("Orb", "x"),
    ],
)
def test_an_english_name_ends_with_what_the_thing_is(title: str, kind: str) -> None:
    assert family(title, "X") == kind


@pytest.mark.skipif(not FURNITURE.is_dir(), reason="needs Debian's sweethome3d-furniture")
def test_the_package_gives_hundreds_of_things() -> None:
    entries = list_meshes()
    assert len(entries) >= 700
    assert len({entry.name for entry in entries}) == len({entry.sha256 for entry in entries}) == len(entries)
    assert {entry.collection for entry in entries} == {"BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Scopia"}
    for entry in entries[::45]:
        assert_normalised(load_mesh(entry))
