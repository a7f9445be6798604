"""Everything that can be rendered, by name: archive meshes, their looks, and drawn packages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np

from identity_renderer import archives, looks, packages
from identity_renderer.mesh import Mesh, make_generator
from identity_renderer.mesh_cache import read_mesh, write_mesh
from identity_renderer.plan import split_of
from identity_renderer.shots import Identity, Thing

LEFT_OUT = "KatorLegaz"
"""The collection that no training or validation ever sees."""

ON_SHOW = frozenset(
    [("BlendSwap-CC-0", number) for number in (15, 51, 71, 73, 82, 105, 108)]
    + [("BlendSwap-CC-BY", number) for number in (8, 24, 52, 103)]
    + [("Scopia", number) for number in (15, 30, 44, 56, 57, 183, 263)]
)
"""Models of the sample catalogue, as archive and number; they are of test, so that it is new to a head."""

_EARLIEST = 120
"""So many packages are listed at least; they stand beside every other thing."""


class Stock:
    """The things of one set.

    Args:
        chosen: ``main`` or ``left-out``.
        furniture: folder of the `.sh3f` archives.
        num_packages: packages to draw; the left-out set has none.
        seed: of the whole set.
        cache: folder for parsed meshes.
    """

    def __init__(self, chosen: str, furniture: Path, num_packages: int, seed: int, cache: Path) -> None:
        self._seed, self._furniture, self._cache = seed, furniture, cache
        left_out = chosen == "left-out"
        self._meshes = {
            entry.name: entry for entry in archives.list_meshes(furniture) if (entry.collection == LEFT_OUT) == left_out
        }
        listed = packages.list_packages(max(num_packages, _EARLIEST), seed) if num_packages and not left_out else []
        self._packages = {entry.name: entry for entry in listed}
        self._rank = {entry.name: number for number, entry in enumerate(listed)}
        self.meshes = tuple(
            Thing(entry.name, entry.category, entry.collection, "test" if left_out else _split(entry))
            for entry in self._meshes.values()
        )
        self.packages = tuple(
            Thing(entry.name, entry.category, packages.COLLECTION, split_of(entry.line)) for entry in listed
        )
        self._num_packages = num_packages
        self._loaded = lru_cache(maxsize=24)(self._load)

    def identities(self, num_looks: int) -> list[Identity]:
        """Return every identity: each mesh in its looks, each package as it is; in an order that mixes both."""
        found = [Identity(thing, look) for thing in self.meshes for look in range(num_looks)]
        found += [Identity(thing, 0) for thing in self.packages[: self._num_packages]]
        # So that a run that is stopped, or limited, holds a fair sample.
        return sorted(found, key=lambda identity: hashlib.sha256(identity.name.encode()).digest())

    def company(self, identity: Identity) -> tuple[Thing, ...]:
        """Return what may stand beside an identity or in its place: things of its split, of packages the earlier."""
        thing = identity.thing
        known = max(self._rank.get(thing.name, 0), _EARLIEST)
        beside: Sequence[Thing] = self.packages[:known]
        return tuple(other for other in (*self.meshes, *beside) if other.split == thing.split)

    def mesh(self, name: str, look: int = 0) -> Mesh:
        """Return a thing in one of its looks.

        Raises:
            MeshError: the mesh is broken or too large.
            ImpossibleChange: it has nothing to dress.
        """
        mesh = self._loaded(name)
        if look == 0 or name in self._packages:
            return mesh
        return looks.dress(mesh, make_generator(self._seed, "look", name, look))

    def change(self, identity: Identity, mesh: Mesh, kind: str, rng: np.random.Generator) -> Mesh:
        """Return a near-identity distractor of an identity that looks like ``mesh``.

        A package knows the kind ``relabel``, too: another brand in the same form.

        Raises:
            ImpossibleChange: it has nothing that this kind of change could act on.
        """
        if identity.thing.packaged:
            return packages.change_package(self._packages[identity.thing.name], cast(packages.Kind, kind), rng)
        return looks.change(mesh, cast(looks.Kind, kind), rng)[0]

    def _load(self, name: str) -> Mesh:
        if name in self._packages:
            return packages.make_package(self._packages[name])
        entry = self._meshes[name]
        path = self._cache / f"{entry.sha256}.npz"
        if not path.is_file():
            write_mesh(path, archives.load_mesh(entry, self._furniture))
        return read_mesh(path)


def _split(entry: archives.MeshEntry) -> str:
    return "test" if (entry.collection, entry.number) in ON_SHOW else split_of(entry.name)
