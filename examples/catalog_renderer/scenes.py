"""The places where objects are photographed: a real photograph, and either its own ground or a surface before it."""

from dataclasses import dataclass
from typing import Literal

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Surface:
    """What the object stands on where the photograph shows no ground.

    Attributes:
        source: `archive.sh3f!member` for a model's texture, or a file name in scikit-image's data folder.
        width_m: Metres that one repeat of the texture covers.
        tint: Linear colour the texture is multiplied with.
        licence: Licence of the texture.
    """

    source: str
    width_m: float
    tint: Colour
    licence: str


@dataclass(frozen=True)
class Scene:
    """One background.

    Attributes:
        name: Name in the manifest.
        photo: Path below `mvtbdata/images`.
        crop: Centre (fraction of the width), top and bottom (fractions of the height) of the part that is used.
        place: Whether a table or a ground is here.
        horizon: Height of the horizon in the crop as a fraction from its top; used where the photograph's own ground
            carries the object.
        surface: Name of the surface put before the photograph; empty for the photograph's own ground.
        blur: Defocus of the photograph in pixels (standard deviation).
        sun: Azimuth and elevation of the light in degrees; azimuth 0 comes from the camera, +90 from the right.
        power: Strength of that light, W/m2.
        ambient: Mean level of the light from everywhere else; less in the shade of trees and walls.
    """

    name: str
    photo: str
    crop: tuple[float, float, float]
    place: Literal["table", "ground"]
    surface: str = ""
    horizon: float = 0.0
    blur: float = 0.7
    sun: tuple[float, float] = (40.0, 50.0)
    power: float = 2.5
    ambient: float = 0.5


_WOOD = "BlendSwap-CC-0.sh3f!blendswap-cc-0/table/Wood_013_COLOR.jpg"
_CLOTH = "BlendSwap-CC-0.sh3f!blendswap-cc-0/couch2/Fabric_011_COLOR.jpg"
_GRANITE = "BlendSwap-CC-0.sh3f!blendswap-cc-0/lowerCabinet/marble_14.jpg"
_LINEN = "BlendSwap-CC-0.sh3f!blendswap-cc-0/couch/Plain001.jpg"
_CHECKED = "BlendSwap-CC-0.sh3f!blendswap-cc-0/tableWithTablecloth/red_checked.jpg"

SURFACES: dict[str, Surface] = {
    "oak": Surface(_WOOD, 0.9, (0.95, 0.9, 0.85), "CC0-1.0"),
    "walnut": Surface(_WOOD, 0.7, (0.36, 0.2, 0.12), "CC0-1.0"),
    "whitewash": Surface(_WOOD, 0.8, (1.0, 1.08, 1.2), "CC0-1.0"),
    "deck": Surface(_WOOD, 1.1, (0.55, 0.42, 0.34), "CC0-1.0"),
    "granite": Surface(_GRANITE, 0.6, (0.8, 0.8, 0.82), "CC0-1.0"),
    "terrace": Surface(_GRANITE, 1.4, (0.75, 0.68, 0.6), "CC0-1.0"),
    "linen": Surface(_LINEN, 0.35, (1.0, 0.98, 0.95), "CC0-1.0"),
    "charcoal": Surface(_CLOTH, 0.5, (1.6, 1.6, 1.7), "CC0-1.0"),
    "checked": Surface(_CHECKED, 0.5, (1.0, 1.0, 1.0), "CC0-1.0"),
    "gravel": Surface("gravel.png", 1.1, (0.95, 0.85, 0.74), "CC0-1.0"),
}

CATALOG_SCENES: tuple[Scene, ...] = (
    Scene("oak-tulips", "flowers5.png", (0.5, 0.0, 1.0), "table", "oak", blur=6, sun=(-50, 45)),
    Scene("walnut-garden-cafe", "campus/P1070504.png", (0.4, 0.0, 1.0), "table", "walnut", blur=5, sun=(35, 55)),
    Scene("granite-brick-wing", "campus/P1070494.png", (0.5, 0.0, 1.0), "table", "granite", blur=5, sun=(60, 40)),
    Scene("linen-daisies", "flowers2.png", (0.5, 0.0, 1.0), "table", "linen", blur=6, sun=(-30, 55)),
    Scene("charcoal-pink-border", "flowers8.png", (0.5, 0.0, 1.0), "table", "charcoal", blur=6, sun=(45, 45)),
    Scene("checked-park", "parks.png", (0.7, 0.0, 0.7), "table", "checked", blur=4, sun=(-60, 40)),
    Scene("whitewash-house", "walls-r.png", (0.4, 0.0, 0.7), "table", "whitewash", blur=5, sun=(-40, 50)),
    Scene("oak-arcade", "campus/P1070506.png", (0.4, 0.1, 0.9), "table", "oak", blur=4, sun=(55, 50)),
    Scene("granite-palms", "campus/P1070512.png", (0.5, 0.0, 1.0), "table", "granite", blur=5, sun=(-45, 60)),
    Scene(
        "house-left", "walls-l.png", (0.42, 0.12, 1.0), "ground", horizon=0.14, sun=(-45, 45), power=2.4, ambient=0.35
    ),
    Scene(
        "house-corner", "walls-r.png", (0.66, 0.16, 1.0), "ground", horizon=0.1, sun=(50, 46), power=2.4, ambient=0.35
    ),
    Scene("park-path", "parks.png", (0.42, 0.02, 0.98), "ground", horizon=0.2, sun=(125, 42), power=2.6, ambient=0.25),
    Scene("park-lawn", "parks.png", (0.78, 0.12, 1.0), "ground", horizon=0.1, sun=(115, 42), power=2.4, ambient=0.25),
    Scene("road", "road.png", (0.5, 0.42, 1.0), "ground", horizon=0.22, sun=(50, 55), power=2.4),
    Scene("gravel-arcade", "campus/P1070507.png", (0.35, 0.2, 0.95), "ground", "gravel", blur=2.0, sun=(-50, 50)),
    Scene("terrace-brick", "campus/P1070505.png", (0.5, 0.05, 1.0), "ground", "terrace", blur=2.0, sun=(40, 45)),
    Scene("deck-irises", "flowers6.png", (0.5, 0.0, 1.0), "ground", "deck", blur=2.5, sun=(-35, 50)),
    Scene("gravel-border", "flowers3.png", (0.5, 0.0, 1.0), "ground", "gravel", blur=2.5, sun=(60, 50)),
)
"""Backgrounds of the catalogue's pictures."""

QUERY_SCENES: tuple[Scene, ...] = (
    Scene("walnut-church", "church.jpg", (0.55, 0.2, 0.95), "table", "walnut", blur=4, sun=(50, 50)),
    Scene(
        "terrace-palms", "campus/holdout/P1070511.png", (0.5, 0.0, 1.0), "ground", "terrace", blur=2.5, sun=(-40, 50)
    ),
)
"""Backgrounds that no catalogue picture shows; the new-view query is taken on one."""
