"""The seeded plan: every picture's object, background, camera and light, decided before anything is rendered."""

import random
from dataclasses import asdict, dataclass

from catalog_renderer.objects import OBJECTS, STRANGER, CatalogObject
from catalog_renderer.scenes import CATALOG_SCENES, QUERY_SCENES, Scene

VIEWS = 4


@dataclass(frozen=True)
class Shot:
    """One picture to take.

    Attributes:
        path: Output path below `examples/`.
        thing: The object shown.
        framed_by: The object that the camera is set up for; differs from `thing` only for the look-alike query.
        scene: The background.
        yaw: Turn of the object in degrees.
        pitch: Downward tilt of the camera in degrees; ignored where the photograph's horizon decides it.
        fill: Larger side of the object's box as a fraction of the frame.
        centre: Where the box's centre stands, as fractions of the frame from the left and the top.
        warmth: Colour of the light, -1 (cool) to 1 (warm).
        light: Factor on the light's strength.
    """

    path: str
    thing: CatalogObject
    framed_by: CatalogObject
    scene: Scene
    yaw: float
    pitch: float
    fill: float
    centre: tuple[float, float]
    warmth: float
    light: float

    def parameters(self) -> dict[str, object]:
        """Return what the manifest records about this picture."""
        fields = asdict(self)
        for name, value in (("thing", self.thing), ("framed_by", self.framed_by), ("scene", self.scene)):
            fields[name] = value.name if isinstance(value, Scene) else value.identity
        return fields


@dataclass(frozen=True)
class Query:
    """One query picture and its truth."""

    shot: Shot
    identity: str
    note: str


def _shot(rng: random.Random, path: str, thing: CatalogObject, scene: Scene, yaw: float) -> Shot:
    return Shot(
        path=path,
        thing=thing,
        framed_by=thing,
        scene=scene,
        yaw=round(thing.front + yaw, 1),
        pitch=round(rng.uniform(11, 19), 1),
        fill=round(rng.uniform(0.6, 0.78), 3),
        centre=(round(rng.uniform(0.44, 0.56), 3), round(rng.uniform(0.53, 0.57), 3)),
        warmth=round(rng.uniform(-0.6, 0.9), 2),
        light=round(rng.uniform(0.85, 1.15), 2),
    )


def catalog_shots(seed: int) -> list[Shot]:
    """Plan the catalogue: each object four times, never twice on one background.

    Args:
        seed: Seed of every choice.

    Returns:
        The shots, by identity and number.
    """
    shots = []
    for thing in OBJECTS:
        rng = random.Random(f"{seed}/{thing.identity}")  # noqa: S311 (pictures, not secrets)
        scenes = rng.sample([scene for scene in CATALOG_SCENES if scene.place == thing.place], VIEWS)
        # One yaw from each quarter of the range, so that no two views of an object are nearly the same.
        yaws = [rng.uniform(low, low + 17) for low in (-50, -22, 5, 33)]
        rng.shuffle(yaws)
        shots += [
            _shot(rng, f"catalog/{thing.identity}/{n}.jpg", thing, scene, yaw)
            for n, (scene, yaw) in enumerate(zip(scenes, yaws, strict=True), start=1)
        ]
    return shots


def queries(seed: int) -> list[Query]:
    """Plan the three queries; objects and pictures are drawn by the seed, never by what a model answers.

    Args:
        seed: The seed that planned the catalogue.

    Returns:
        New view, look-alike and stranger, in this order.
    """
    rng = random.Random(f"{seed}/queries")  # noqa: S311
    shots = catalog_shots(seed)
    seen = rng.choice(OBJECTS)
    elsewhere = next(scene for scene in QUERY_SCENES if scene.place == seen.place)
    new_view = _shot(rng, "queries/new-view.jpg", seen, elsewhere, rng.choice((-62.0, 62.0)))

    shown = rng.choice([thing for thing in OBJECTS if thing.looks_like not in ("", seen.looks_like)])
    others = [shot for shot in shots if shot.thing.looks_like == shown.looks_like and shot.thing != shown]
    copied = rng.choice(others)
    look_alike = Shot(**{**vars(copied), "path": "queries/look-alike.jpg", "thing": shown})

    places = [scene for scene in CATALOG_SCENES if scene.place == STRANGER.place]
    stranger = _shot(rng, "queries/stranger.jpg", STRANGER, rng.choice(places), rng.uniform(-40, 40))
    return [
        Query(new_view, seen.identity, "an angle and a background that the catalogue does not show"),
        Query(look_alike, shown.identity, f"stands exactly where {copied.thing.identity} stands in {copied.path}"),
        Query(stranger, "", f"a {STRANGER.identity}, not in the catalogue; on its background {stranger.scene.name}"),
    ]
