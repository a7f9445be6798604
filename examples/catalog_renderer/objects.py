"""The objects of the sample catalogue: which model each one is, and which of them look alike."""

from dataclasses import dataclass
from typing import Literal

Colour = tuple[float, float, float]
"""Linear red, green and blue, each 0 to 1."""


@dataclass(frozen=True)
class CatalogObject:
    """One thing that is photographed.

    Attributes:
        identity: Name of its folder in the catalogue.
        archive: Stem of the `.sh3f` archive that holds the model.
        model: The model's number in the archive's catalogue.
        category: What it is.
        colour: The colour a person would name.
        collection: The department that keeps it.
        looks_like: Name of its look-alike group; empty if nothing resembles it.
        recolour: New base colours by material name; makes another object of the same mesh.
        front: Degrees that turn the model's front towards the camera.
        metal: Names of materials that are bare metal; OBJ files cannot say so.
    """

    identity: str
    archive: str
    model: int
    category: str
    colour: str
    collection: str
    looks_like: str = ""
    recolour: tuple[tuple[str, Colour], ...] = ()
    front: float = 0.0
    metal: tuple[str, ...] = ()

    @property
    def place(self) -> Literal["table", "ground"]:
        """Where it is photographed: small things on a table, large ones on the ground."""
        return "table" if self.collection in ("kitchen", "living", "workshop") else "ground"


_CC0, _CC_BY, _SCOPIA = "BlendSwap-CC-0", "BlendSwap-CC-BY", "Scopia"


_LOOK_ALIKES = (
    CatalogObject("storage-bin-blue", _CC0, 105, "bin", "blue", "warehouse", looks_like="bin"),
    CatalogObject(
        "storage-bin-red",
        _CC0,
        105,
        "bin",
        "red",
        "warehouse",
        looks_like="bin",
        recolour=(("Plastic", (0.62, 0.03, 0.03)),),
    ),
    CatalogObject("crate-braced", _CC0, 73, "crate", "brown", "warehouse", looks_like="crate"),
    CatalogObject("crate-flat", _CC0, 71, "crate", "brown", "warehouse", looks_like="crate"),
    CatalogObject("chair-blue-cushion", _CC0, 108, "chair", "beige", "furniture", looks_like="chair"),
    CatalogObject("chair-slatted", _CC_BY, 24, "chair", "brown", "furniture", looks_like="chair"),
    CatalogObject("chair-red-seat", _SCOPIA, 30, "chair", "brown", "furniture", looks_like="chair"),
    CatalogObject("desk-lamp-brass", _CC0, 15, "lamp", "gold", "living", looks_like="desk-lamp", metal=("Material",)),
    CatalogObject(
        "desk-lamp-green",
        _CC0,
        15,
        "lamp",
        "green",
        "living",
        looks_like="desk-lamp",
        recolour=(("Material", (0.02, 0.16, 0.06)),),
    ),
    CatalogObject("table-lamp-wood", _SCOPIA, 56, "lamp", "brown", "living", looks_like="table-lamp"),
    CatalogObject("table-lamp-green", _SCOPIA, 57, "lamp", "green", "living", looks_like="table-lamp"),
    CatalogObject(
        "kettle-green", _CC_BY, 8, "kettle", "green", "kitchen", looks_like="kettle", metal=("Kettle-chrome",)
    ),
    CatalogObject(
        "kettle-red",
        _CC_BY,
        8,
        "kettle",
        "red",
        "kitchen",
        looks_like="kettle",
        metal=("Kettle-chrome",),
        recolour=(("Kettle-red-metal", (0.42, 0.01, 0.01)),),
    ),
    CatalogObject("vase-blue", _SCOPIA, 44, "pottery", "blue", "living", looks_like="pottery"),
    CatalogObject("pot-blue", _SCOPIA, 15, "pottery", "blue", "living", looks_like="pottery"),
)
_DISTINCT = (
    CatalogObject("fire-extinguisher", _CC0, 82, "safety", "red", "warehouse"),
    CatalogObject("suitcase-blue", _CC_BY, 103, "luggage", "blue", "travel"),
    CatalogObject("drill-teal", _SCOPIA, 263, "tool", "green", "workshop", front=65.0),
    CatalogObject("radio-cream", _CC_BY, 52, "radio", "cream", "living"),
    CatalogObject("teddy-bear", _CC0, 51, "toy", "brown", "living"),
)

OBJECTS: tuple[CatalogObject, ...] = _LOOK_ALIKES + _DISTINCT
"""Every identity of the catalogue."""

STRANGER: CatalogObject = CatalogObject("shopping-basket", _SCOPIA, 183, "basket", "brown", "kitchen")
"""An object that the catalogue does not hold; only a query shows it."""
