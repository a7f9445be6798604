"""What can go wrong with a thing that is to be rendered; a plan skips it and says so."""


class MeshError(ValueError):
    """A mesh is broken, empty or too large to render."""


class ImpossibleChange(ValueError):  # noqa: N818 (a property of the mesh, not a fault)
    """A mesh has nothing that a kind of change could act on."""
