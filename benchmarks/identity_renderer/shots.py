"""What a plan says: things, identities, and all that makes one view of them."""

from __future__ import annotations

from dataclasses import dataclass

from identity_renderer.backgrounds import Backdrop
from identity_renderer.camera import Exposure


@dataclass(frozen=True)
class Thing:
    """Something that can be rendered.

    Attributes:
        name: of the mesh or the package.
        category: siblings share it.
        collection: where it comes from.
        split: ``train``, ``val`` or ``test``.
    """

    name: str
    category: str
    collection: str
    split: str

    @property
    def packaged(self) -> bool:
        """Whether it is a drawn package, not a mesh of an archive."""
        return self.collection == "packages"


@dataclass(frozen=True)
class Identity:
    """One identity: a thing in one of its looks; look 0 is the thing as it is."""

    thing: Thing
    look: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.thing.name.replace('/', '-')}-{self.look}"


@dataclass(frozen=True)
class Prop:
    """Another thing in the scene: its look, its place on the ground, its size and turn."""

    name: str
    x: float
    z: float
    scale: float
    yaw: float


@dataclass(frozen=True)
class Occluder:
    """What stands before the thing.

    Attributes:
        name: of another thing; empty for a plain band.
        side: ``left``, ``right`` or ``bottom``.
        cover: share of the thing's box that it reaches over from that side.
        blur: radius in pixels.
        seed: of its colour and turn.
    """

    name: str
    side: str
    cover: float
    blur: float
    seed: str


@dataclass(frozen=True)
class Lighting:
    """Light of a scene; levels are linear, angles in radians, azimuth 0 is behind the camera."""

    azimuth: float
    elevation: float
    key: float
    sky: float
    ground: float
    warmth: float
    softness: float


@dataclass(frozen=True)
class Distractor:
    """Another identity for the same place.

    Attributes:
        source: kind of difference.
        siblings: for source ``sibling``: names and looks of other things, the first that can be used is taken; a
            package's own name stands for its form in the print of another brand.
        seed: of what is changed.
    """

    source: str
    siblings: tuple[tuple[str, int], ...]
    seed: str


@dataclass(frozen=True)
class Shot:
    """One view of an identity; angles in radians, places as shares of the frame from the left and the top.

    Attributes:
        view: 1 or more.
        yaw: turn of the thing.
        elevation: of the camera.
        roll: of the camera.
        distance: of the camera, in longest sides of the thing.
        fill: longer side of the thing's box as a share of the frame.
        centre: where the box's middle falls.
        lighting: of the scene.
        backdrop: what is behind.
        props: what stands around.
        occluder: what stands before; None for nothing.
        exposure: of the camera.
        distractors: in the order of trying.
        wanted: how many of them to keep.
    """

    view: int
    yaw: float
    elevation: float
    roll: float
    distance: float
    fill: float
    centre: tuple[float, float]
    lighting: Lighting
    backdrop: Backdrop
    props: tuple[Prop, ...]
    occluder: Occluder | None
    exposure: Exposure
    distractors: tuple[Distractor, ...]
    wanted: int


@dataclass(frozen=True)
class Settings:
    """What decides every byte of a set.

    Attributes:
        seed: of everything.
        views: of an identity.
        distractors: of a view of train.
        size: of a picture's side in pixels.
        renderer: ``osmesa`` (OpenGL in memory) or ``cycles`` (Blender's path tracer).
    """

    seed: int
    views: int
    distractors: int
    size: int
    renderer: str = "osmesa"
