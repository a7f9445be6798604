"""Everyday objects of Debian's `sweethome3d-furniture`: what the archives list, and their meshes."""

from __future__ import annotations

import hashlib
import posixpath
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from identity_renderer.errors import MeshError
from identity_renderer.families import family
from identity_renderer.materials import Material, read_materials, read_member, read_texture
from identity_renderer.mesh import Mesh, Part
from identity_renderer.normals import corner_normals
from identity_renderer.obj_file import Triangles, read_triangles, without_slivers

FURNITURE = Path("/usr/share/sweethome3d/furniture")
_CATALOGUE = "PluginFurnitureCatalog.properties"

# As the package's copyright file says; an archive that is not named here is not used.
LICENCES = {
    "BlendSwap-CC-0": "CC0-1.0",
    "BlendSwap-CC-BY": "CC-BY-3.0",
    "KatorLegaz": "CC-BY-3.0-US",
    "Reallusion": "CC-BY-3.0-US",
    "Scopia": "CC-BY-3.0",
}
# People, parts of buildings and drawings on the ground are no things that one finds again by their looks.
_NO_THINGS = re.compile(
    r"\b(female|male|boy|girl|mannequin|crossing|arrow|parking|rails|sidewalk|column|chimney|swimming pool|shutter"
    r"|screen door|staircase|escalator|shower door)\b",
    re.IGNORECASE,
)
_NO_DEPARTMENTS = ("Doors and windows", "Staircases")


@dataclass(frozen=True)
class MeshEntry:
    """One model as its archive's catalogue describes it.

    Attributes:
        name: Unique and stable: collection and the model's own file name.
        title: Its English name in the catalogue.
        category: Family of things; siblings share it.
        collection: The archive's name.
        licence: SPDX identifier.
        creator: Its author.
        archive: File name of the archive.
        number: The model's number in the archive's catalogue.
        member: Path of the OBJ file inside the archive.
        size: Width, height and depth in metres.
        rotation: 3x3 rotation, row by row, to apply before the size; y is up.
        sha256: Of the OBJ file, hexadecimal.
    """

    name: str
    title: str
    category: str
    collection: str
    licence: str
    creator: str
    archive: str
    number: int
    member: str
    size: tuple[float, float, float]
    rotation: tuple[float, ...]
    sha256: str


def list_meshes(furniture: Path = FURNITURE) -> list[MeshEntry]:
    """List the things in all archives of a folder, without reading their geometry.

    Args:
        furniture: Folder of the `.sh3f` archives.

    Returns:
        Entries sorted by name; of equal OBJ files only the first.

    Raises:
        FileNotFoundError: The folder holds no known archive.
    """
    archives = [path for path in sorted(furniture.glob("*.sh3f")) if path.stem in LICENCES]
    if not archives:
        raise FileNotFoundError(f"{furniture} holds no .sh3f archives: install Debian's sweethome3d-furniture")
    entries: dict[str, MeshEntry] = {}
    for path in archives:
        for entry in sorted(_entries(path), key=lambda entry: entry.name):
            entries.setdefault(entry.sha256, entry)
    return sorted(entries.values(), key=lambda entry: entry.name)


def _entries(path: Path) -> list[MeshEntry]:
    found: dict[int, dict[str, str]] = {}
    with zipfile.ZipFile(path) as archive:
        text = read_member(archive, _CATALOGUE).decode("latin-1")
        # Java's properties write what latin-1 lacks as \uXXXX.
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
        for key, number, value in re.findall(r"^(\w+)#(\d+)=(.*?)\s*$", text, re.MULTILINE):
            found.setdefault(int(number), {})[key] = value
        return [_entry(archive, path, number, facts) for number, facts in found.items() if _is_thing(facts)]


def _is_thing(facts: dict[str, str]) -> bool:
    built_in = facts.get("doorOrWindow") == "true" or facts["category"] in _NO_DEPARTMENTS
    return not built_in and not _NO_THINGS.search(facts["name"])


def _entry(archive: zipfile.ZipFile, path: Path, number: int, facts: dict[str, str]) -> MeshEntry:
    member = facts["model"].lstrip("/")
    return MeshEntry(
        name=f"{path.stem}/{posixpath.splitext(posixpath.basename(member))[0]}",
        title=facts["name"],
        category=family(facts["name"], facts["category"]),
        collection=path.stem,
        licence=LICENCES[path.stem],
        creator=facts["creator"],
        archive=path.name,
        number=number,
        member=member,
        size=(float(facts["width"]) / 100, float(facts["height"]) / 100, float(facts["depth"]) / 100),
        rotation=tuple(float(value) for value in facts.get("modelRotation", "1 0 0 0 1 0 0 0 1").split()),
        sha256=hashlib.sha256(read_member(archive, member)).hexdigest(),
    )


def load_mesh(entry: MeshEntry, furniture: Path = FURNITURE) -> Mesh:
    """Read one thing: turned as the catalogue says, in its true proportions, one part a material.

    A texture that the archive lacks leaves the material's plain colour, as in the viewer the archives are made for.

    Args:
        entry: From `list_meshes`.
        furniture: Folder of the `.sh3f` archives.

    Returns:
        The mesh, normalised as `Mesh` says.

    Raises:
        MeshError: It is broken, empty, non-finite, or has more than 300,000 triangles.
    """
    with zipfile.ZipFile(furniture / entry.archive) as archive:
        triangles = read_triangles(read_member(archive, entry.member).decode("latin-1"))
        materials = _materials(archive, entry.member)
        textures = _textures(
            archive, entry.member, {materials.get(name, Material()).texture for name in triangles.names}
        )
    points, turn = _place(triangles, entry)
    triangles = without_slivers(triangles, points)
    table, rows = corner_normals(triangles, points, turn)
    parts = []
    for number, name in enumerate(triangles.names):
        material = materials.get(name, Material())
        chosen = triangles.materials == number
        if chosen.any() and material.visible:
            corners = np.concatenate([triangles.corners[chosen][:, :, :2], rows[chosen][:, :, None]], axis=2)
            tables = (points, triangles.uvs, table)
            parts.append(_part(name, material, textures.get(material.texture), corners.reshape(-1, 3), tables))
    if not parts:
        raise MeshError(f"{entry.name} has no visible part: leave it out")
    return Mesh(entry.name, entry.category, entry.collection, entry.licence, entry.creator, tuple(parts))


def _materials(archive: zipfile.ZipFile, member: str) -> dict[str, Material]:
    stem = posixpath.splitext(member)[0]
    return read_materials(read_member(archive, f"{stem}.mtl").decode("latin-1"))


def _textures(archive: zipfile.ZipFile, member: str, names: set[str]) -> dict[str, NDArray[np.uint8]]:
    held = set(archive.namelist())
    paths = {name: posixpath.join(posixpath.dirname(member), name) for name in names if name}
    return {name: read_texture(read_member(archive, path), path) for name, path in paths.items() if path in held}


def _place(triangles: Triangles, entry: MeshEntry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points where `Mesh` wants them, and the matrix that turns normals along."""
    rotation = np.array(entry.rotation).reshape(3, 3)
    points = triangles.points @ rotation.T
    used = points[np.unique(triangles.corners[:, :, 0])]
    low, high = used.min(axis=0), used.max(axis=0)
    extent = high - low
    if extent.max() <= 0:
        raise MeshError(f"{entry.name} is a single point: leave it out")
    size = np.array(entry.size)
    # A flat thing has no extent to stretch along its thin axis.
    scale = np.where(extent > 1e-6 * extent.max(), size / np.maximum(extent, 1e-12), 1.0) / size.max()
    middle = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    return (points - middle) * scale, np.diag(1 / scale) @ rotation


def _part(
    name: str,
    material: Material,
    texture: NDArray[np.uint8] | None,
    corners: NDArray[np.int64],
    tables: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> Part:
    """Make one part of corner rows (3F, 3): numbers of a position, a texture coordinate and a normal."""
    points, uvs, normals = tables
    textured = texture is not None and bool((corners[:, 1] >= 0).all())
    key = corners[:, 0] * (len(normals) + 1) + corners[:, 2]
    if textured:
        _, key = np.unique(key, return_inverse=True)
        key = key * (len(uvs) + 1) + corners[:, 1]
    _, first, faces = np.unique(key, return_index=True, return_inverse=True)
    kept = corners[first]
    return Part(
        name=name,
        vertices=points[kept[:, 0]].astype(np.float32),
        faces=faces.reshape(-1, 3).astype(np.int32),
        normals=normals[kept[:, 2]].astype(np.float32),
        uv=uvs[kept[:, 1]].astype(np.float32) if textured else None,
        # Exporters leave a meaningless grey beside a texture.
        colour=(1.0, 1.0, 1.0) if textured else material.colour,
        texture=texture if textured else None,
        gloss=material.gloss,
    )
