"""Meshes kept on disk in a form that loads at once: parsing an OBJ takes longer than rendering it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from identity_renderer.mesh import Mesh, Part

_FACTS = ("name", "category", "collection", "licence", "creator")
_ARRAYS = ("vertices", "faces", "normals", "uv")


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Write a mesh; the file appears complete or not at all."""
    facts: dict[str, object] = {name: getattr(mesh, name) for name in _FACTS}
    # Parts that share a texture go on sharing it: looks are told apart by it.
    textures = {id(part.texture): part.texture for part in mesh.parts if part.texture is not None}
    numbers = {key: number for number, key in enumerate(textures)}
    facts["parts"] = [
        {"name": part.name, "colour": part.colour, "gloss": part.gloss, "texture": numbers.get(id(part.texture))}
        for part in mesh.parts
    ]
    arrays = {"facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)}
    arrays |= {f"texture-{numbers[key]}": texture for key, texture in textures.items()}
    for number, part in enumerate(mesh.parts):
        for name in _ARRAYS:
            values = getattr(part, name)
            if values is not None:
                arrays[f"{number}-{name}"] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)  # type: ignore[arg-type]  # numpy types the keyword allow_pickle into **kwds
    partial.replace(path)


def read_mesh(path: Path) -> Mesh:
    """Read what `write_mesh` wrote."""
    with np.load(path, allow_pickle=False) as held:
        facts = json.loads(held["facts"].tobytes())
        textures = {name: held[name] for name in held.files if name.startswith("texture-")}
        parts = []
        for number, part in enumerate(facts["parts"]):
            found: dict[str, Any] = {
                name: held[f"{number}-{name}"] if f"{number}-{name}" in held.files else None for name in _ARRAYS
            }
            texture = textures.get(f"texture-{part['texture']}")
            parts.append(
                Part(part["name"], colour=tuple(part["colour"]), texture=texture, gloss=part["gloss"], **found)
            )
    return Mesh(**{name: facts[name] for name in _FACTS}, parts=tuple(parts))
