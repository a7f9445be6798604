"""The seeded plan of every picture, decided before anything is rendered; any renderer can carry it out.

Plans depend on the seed, the identity and the things of its split that come before it, so a set that grows keeps what
it has.
"""

from __future__ import annotations

import hashlib
import itertools

import numpy as np

from identity_renderer import album
from identity_renderer.backgrounds import Backdrop
from identity_renderer.camera import Exposure
from identity_renderer.mesh import make_generator
from identity_renderer.shots import Distractor, Identity, Lighting, Occluder, Prop, Settings, Shot, Thing

MESH_SOURCES = ("sibling", "recolour", "retexture", "proportions", "part")
PACKAGE_SOURCES = ("sibling", "flavour", "recolour", "proportions", "part")
YAW = 0.8
"""Views turn up to so many radians from the front."""

_PROP_CHANCE, _OCCLUDER_CHANCE = 0.4, 0.15
_KINDS, _KIND_SHARES = ("photograph", "table", "floor", "shelf"), (0.3, 0.3, 0.25, 0.15)
# Siblings appear as they are or dressed, however many looks of them the set holds.
_SIBLING_LOOKS = 3
_SHARES = (("train", 0.85), ("val", 0.9), ("test", 1.0))


def split_of(name: str) -> str:
    """Return the split of a mesh: about 85 % train, 5 % val, 10 % test, by its name alone."""
    share = int.from_bytes(hashlib.sha256(f"split\0{name}".encode()).digest()[:8], "little") / 2**64
    return next(split for split, limit in _SHARES if share < limit)


def plan_identity(identity: Identity, things: tuple[Thing, ...], settings: Settings) -> tuple[Shot, ...]:
    """Plan all views of an identity.

    Args:
        identity: what to show.
        things: everything of its split that may appear beside it or in its place.
        settings: of the set; val and test get every source of distractors, whatever `distractors` says.

    Returns:
        The views, numbered from 1.
    """
    seed, views = settings.seed, settings.views
    rng = make_generator(seed, "identity", identity.name)
    edges = np.linspace(-YAW, YAW, views + 1)
    # One yaw from each part of the range, so that no two views of an identity are nearly the same.
    yaws = rng.permutation([rng.uniform(low, high) for low, high in itertools.pairwise(edges)])
    first = int(rng.integers(4))
    shots = []
    for view, yaw in enumerate(yaws, start=1):
        own = make_generator(seed, "view", identity.name, view)
        name = f"{seed}/{identity.name}/{view}"
        planned = _distractors(identity, things, name, first + 2 * view)
        wanted = min(settings.distractors, len(planned)) if identity.thing.split == "train" else len(planned)
        shots.append(_shot(own, identity, things, name, view, float(yaw), planned, wanted))
    return tuple(shots)


def _shot(
    rng: np.random.Generator,
    identity: Identity,
    things: tuple[Thing, ...],
    name: str,
    view: int,
    yaw: float,
    distractors: tuple[Distractor, ...],
    wanted: int,
) -> Shot:
    fill = float(rng.uniform(0.35, 0.95) if rng.random() < 0.5 else rng.uniform(0.55, 0.9))
    others = [thing.name for thing in things if thing.name != identity.thing.name]
    photographs = album.photographs(identity.thing.split)
    backdrop = Backdrop(str(rng.choice(_KINDS, p=_KIND_SHARES)), photographs[int(rng.integers(len(photographs)))], name)
    return Shot(
        view=view,
        yaw=yaw,
        elevation=float(np.radians(rng.triangular(-5, 14, 45))),
        roll=float(np.radians(np.clip(rng.normal(0, 2.8), -8, 8))),
        distance=float(rng.uniform(2.2, 5.5)),
        fill=fill,
        centre=_centre(rng, fill),
        lighting=_lighting(rng),
        backdrop=backdrop,
        props=_props(rng, others),
        occluder=_occluder(rng, others, name),
        exposure=_exposure(rng, name),
        distractors=distractors,
        wanted=wanted,
    )


def _centre(rng: np.random.Generator, fill: float) -> tuple[float, float]:
    # One view in seven is cut by the edge of the frame, by up to a fifth of the thing.
    room = max(0.5 - fill / 2 - 0.02, 0.0) + (rng.uniform(0.05, 0.2) * fill if rng.random() < 0.15 else 0.0)
    x, y = rng.uniform(-room, room), rng.uniform(-0.6 * room, room)
    return 0.5 + float(x), 0.5 + float(y)


def _lighting(rng: np.random.Generator) -> Lighting:
    return Lighting(
        azimuth=float(rng.uniform(-2.3, 2.3)),
        elevation=float(rng.uniform(0.6, 1.35)),
        key=float(rng.uniform(0.35, 1.25)),
        sky=float(rng.uniform(0.3, 0.65)),
        ground=float(rng.uniform(0.14, 0.34)),
        warmth=float(rng.uniform(-0.7, 1.0)),
        softness=float(rng.uniform(0, 1)),
    )


def _props(rng: np.random.Generator, others: list[str]) -> tuple[Prop, ...]:
    if not others or rng.random() >= _PROP_CHANCE:
        return ()
    props = []
    for _ in range(int(rng.integers(1, 6))):
        scale = float(rng.uniform(0.35, 1.1))
        behind = rng.random() < 0.6
        z = -(0.5 + scale / 2 + rng.uniform(0, 0.5)) if behind else rng.uniform(-0.5, 0.2)
        x = rng.uniform(-1.3, 1.3) if behind else rng.choice([-1, 1]) * (0.55 + scale / 2 + rng.uniform(0, 0.4))
        name = others[int(rng.integers(len(others)))]
        props.append(Prop(name, float(x), float(z), scale, float(rng.uniform(-np.pi, np.pi))))
    return tuple(props)


def _occluder(rng: np.random.Generator, others: list[str], name: str) -> Occluder | None:
    if rng.random() >= _OCCLUDER_CHANCE:
        return None
    plain = not others or rng.random() < 0.4
    return Occluder(
        name="" if plain else others[int(rng.integers(len(others)))],
        side=str(rng.choice(["left", "right", "bottom"])),
        cover=float(rng.uniform(0.12, 0.34)),
        blur=float(rng.uniform(0, 2.5)),
        seed=name,
    )


def _exposure(rng: np.random.Generator, name: str) -> Exposure:
    return Exposure(
        gain=float(np.exp(rng.normal(0, 0.13))),
        warmth=float(np.clip(rng.normal(0, 0.45), -1, 1)),
        tint=float(np.clip(rng.normal(0, 0.4), -1, 1)),
        contrast=float(rng.uniform(0.85, 1.15)),
        saturation=float(rng.uniform(0.8, 1.15)),
        vignette=float(rng.uniform(0, 0.3)),
        defocus=float(rng.uniform(0, 0.6) if rng.random() < 0.8 else rng.uniform(0.6, 1.5)),
        shake=float(rng.uniform(2, 6) if rng.random() < 0.12 else 0.0),
        shake_angle=float(rng.uniform(0, np.pi)),
        grain=float(rng.uniform(1, 9)),
        quality=int(rng.integers(70, 96)),
        seed=name,
    )


def _distractors(identity: Identity, things: tuple[Thing, ...], name: str, turn: int) -> tuple[Distractor, ...]:
    """Order the sources: the sibling in every view, the others in turn so that all appear over an identity."""
    thing = identity.thing
    first, *rest = PACKAGE_SOURCES if thing.packaged else MESH_SOURCES
    turn %= len(rest)
    ordered = [first, *rest[turn:], *rest[:turn]]
    others = [other for other in things if other.name != thing.name]
    # A thing that is the only one of its kind gets any other.
    family = [other for other in others if other.category == thing.category] or others
    rng = make_generator(name, "siblings")
    drawn = [family[int(rng.integers(len(family)))] for _ in range(4)] if family else []
    if thing.packaged and rng.random() < 0.5:
        drawn.insert(0, thing)
    siblings = tuple((other.name, 0 if other.packaged else int(rng.integers(_SIBLING_LOOKS))) for other in drawn)
    return tuple(Distractor(source, siblings if source == "sibling" else (), f"{name}/{source}") for source in ordered)
