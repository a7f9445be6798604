"""One view as it is taken: the scene is set up once, then the thing and its distractors are put into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from identity_renderer import framing
from identity_renderer.backgrounds import paint
from identity_renderer.camera import develop
from identity_renderer.framing import Frame
from identity_renderer.mesh import make_generator
from identity_renderer.shots import Lighting, Occluder, Prop, Shot
from identity_renderer.studio import Light, Model, Placed, Studio
from identity_renderer.surfaces import Picture, pick_colour

Layer = NDArray[np.uint8]
"""(S, S, 4) uint8, premultiplied sRGB and coverage."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What a view and all its distractors have in common.

    Attributes:
        shot: the plan.
        frame: the camera before the thing itself.
        points: (N, 3) of the thing as it is turned.
        light: on everything.
        picture: (S, S, 3) float32, the background before any shadow of the thing.
        ground: (S, S), where shadows can fall.
        props: what stands around, in front of the shadow.
        occluder: what stands before the thing.
    """

    shot: Shot
    frame: Frame
    points: NDArray[np.float64]
    light: Light
    picture: Picture
    ground: NDArray[np.float32]
    props: Layer
    occluder: Layer

    @property
    def free(self) -> NDArray[np.bool_]:
        """(S, S), pixels that no occluder covers."""
        free: NDArray[np.bool_] = self.occluder[:, :, 3] < 128
        return free


@dataclass(frozen=True, eq=False)
class Take:
    """A thing in a scene: its own layer and the shadow (S, S) it throws, 1 where the ground is black."""

    layer: Layer
    shadow: NDArray[np.float32]


def set_up(studio: Studio, shot: Shot, model: Model, props: list[tuple[Prop, Model]], occluding: Model | None) -> Scene:
    """Set up camera, light, background, props and occluder for a thing.

    Args:
        studio: draws.
        shot: the plan.
        model: the thing.
        props: what of the shot's props can be used.
        occluding: the occluder's model, if it has one.
    """
    points = _turned(model, shot.yaw)
    frame = framing.aim(float(points[:, 1].max()), shot.distance, shot.elevation, shot.roll, studio.size)
    frame = framing.fit(frame, points, shot.fill, shot.centre)
    scenery = paint(shot.backdrop, frame)
    light = _light(shot.lighting, scenery.picture)
    empty = np.zeros((studio.size, studio.size, 4), dtype=np.uint8)
    picture, layer = scenery.picture, empty
    if props:
        placed: list[Placed] = [
            (model, framing.placement(prop.yaw, prop.scale, prop.x, prop.z)) for prop, model in props
        ]
        shade = _shade(studio, placed, frame, light, shot) * scenery.ground
        picture = picture * (1 - shade)[:, :, None]
        layer = studio.shoot(placed, frame, light)
    occluder = empty if shot.occluder is None else _occlude(studio, shot.occluder, frame, points, light, occluding)
    return Scene(shot, frame, points, light, picture, scenery.ground, layer, occluder)


def take(studio: Studio, scene: Scene, model: Model, *, same_frame: bool, like: Take | None = None) -> Take:
    """Put a thing into a scene.

    Args:
        studio: draws.
        scene: where to.
        model: the thing.
        same_frame: whether to see it exactly as the thing that the scene was set up for; else it is made to fill the
            frame as much and to stand on the same spot.
        like: the take of a thing of the very same shape, whose shadow this one has, too.
    """
    frame = scene.frame
    if not same_frame:
        frame = framing.stand_in(frame, _turned(model, scene.shot.yaw), scene.points)
    placed = [(model, framing.placement(scene.shot.yaw))]
    shade = like.shadow if like else _shade(studio, placed, frame, scene.light, scene.shot) * scene.ground
    return Take(studio.shoot(placed, frame, scene.light), shade)


def expose(scene: Scene, take: Take) -> bytes:
    """Return the JPEG of a thing in its scene."""
    picture = scene.picture * (1 - take.shadow)[:, :, None]
    for layer in (scene.props, take.layer, scene.occluder):
        picture = picture * (1 - layer[:, :, 3:].astype(np.float32) / 255) + layer[:, :, :3]
    return develop(picture, scene.shot.exposure)


def visible(scene: Scene, take: Take) -> NDArray[np.bool_]:
    """Return where (S, S) a thing is seen."""
    seen: NDArray[np.bool_] = (take.layer[:, :, 3] > 127) & scene.free
    return seen


def visible_share(scene: Scene, take: Take) -> float:
    """Return about which share of a thing the edge of the frame and the occluder leave to be seen."""
    low, high = framing.box(scene.frame, scene.points)
    inside = np.clip(high, 0, scene.frame.size) - np.clip(low, 0, scene.frame.size)
    in_frame = float(np.prod(inside)) / max(float(np.prod(high - low)), 1e-6)
    return in_frame * int(visible(scene, take).sum()) / max(int((take.layer[:, :, 3] > 127).sum()), 1)


def _turned(model: Model, yaw: float) -> NDArray[np.float64]:
    return model.points.astype(np.float64) @ framing.placement(yaw)[:3, :3].T


def _light(lighting: Lighting, picture: Picture) -> Light:
    """Colour the planned light with what is around: the sky half of the picture above, the other below."""
    half = picture.shape[0] // 2
    warm = np.array([1 + 0.16 * lighting.warmth, 1.0, 1 - 0.2 * lighting.warmth])
    sky = 0.6 + 0.4 * _tint(picture[:half])
    ground = 0.45 + 0.55 * _tint(picture[half:])
    # Things stand in the light of their surroundings: dim before a dark background, never black.
    level = 0.75 + 0.5 * float(np.mean((picture / 255) ** 2.2)) ** 0.5
    return Light(
        framing.towards(lighting.azimuth, lighting.elevation),
        _colours(lighting.key * level * warm),
        _colours(lighting.sky * level * sky),
        _colours(lighting.ground * level * ground),
    )


def _tint(picture: Picture) -> NDArray[np.float64]:
    mean = np.mean((picture / 255) ** 2.2, axis=(0, 1), dtype=np.float64) + 0.02
    return np.asarray(mean / mean.max())


def _colours(levels: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(levels[0]), float(levels[1]), float(levels[2])


def _shade(studio: Studio, placed: list[Placed], frame: Frame, light: Light, shot: Shot) -> NDArray[np.float32]:
    """Return how dark (S, S) the ground is: a cast shadow, and a narrow one where things touch the ground."""
    lighting = shot.lighting
    reach = shot.fill * frame.size
    cast = _blurred(studio.shadow(placed, frame, light.towards), reach * (0.008 + 0.03 * lighting.softness))
    touch = _blurred(studio.shadow(placed, frame, np.array([0.0, 1.0, 0.0])), reach * 0.035)
    share = lighting.key / (lighting.key + lighting.sky)
    dark: NDArray[np.float32] = 1 - (1 - np.float32(0.85 * share) * cast) * (1 - np.float32(0.4) * touch)
    return dark


def _blurred(mask: NDArray[np.uint8], radius: float) -> NDArray[np.float32]:
    """Soften a coarse mask by a radius in pixels of the frame, whose size (S, S) is twice the mask's."""
    soft = Image.fromarray(mask).filter(ImageFilter.GaussianBlur(radius / 2))
    full = soft.resize((2 * mask.shape[1], 2 * mask.shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(full, dtype=np.float32) / np.float32(255)


def _occlude(
    studio: Studio,
    occluder: Occluder,
    frame: Frame,
    points: NDArray[np.float64],
    light: Light,
    model: Model | None,
) -> Layer:
    low, high = framing.box(frame, points)
    low, high = np.clip(low, 0, frame.size), np.clip(high, 0, frame.size)
    rng = make_generator(occluder.seed, "occluder")
    if model is None:
        layer = _band(rng, occluder, (low, high), frame.size)
    else:
        layer = _stand_before(studio, rng, occluder, (low, high), light, model)
    if occluder.blur < 0.2:
        return layer
    channels = [Image.fromarray(layer[:, :, n]).filter(ImageFilter.GaussianBlur(occluder.blur)) for n in range(4)]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _edge(occluder: Occluder, box: tuple[NDArray[np.float64], NDArray[np.float64]]) -> float:
    """Return the coordinate up to which an occluder reaches over the box, from its side."""
    low, high = box
    if occluder.side == "left":
        return float(low[0] + occluder.cover * (high[0] - low[0]))
    axis = 0 if occluder.side == "right" else 1
    return float(high[axis] - occluder.cover * (high[axis] - low[axis]))


def _band(
    rng: np.random.Generator,
    occluder: Occluder,
    box: tuple[NDArray[np.float64], NDArray[np.float64]],
    size: int,
) -> Layer:
    edge, slope = 2 * _edge(occluder, box), rng.uniform(-0.15, 0.15) * 2 * size
    width = rng.uniform(0.06, 0.2) * 2 * size
    start = {"left": edge - width, "right": edge, "bottom": edge}[occluder.side]
    stop, far = start + width, 2.0 * size
    if occluder.side == "bottom":
        corners = [(0, start - slope), (far, start + slope), (far, stop + slope), (0, stop - slope)]
    else:
        corners = [(start - slope, 0), (start + slope, far), (stop + slope, far), (stop - slope, 0)]
    mask = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in corners], fill=255)
    coverage = np.asarray(mask.resize((size, size), Image.Resampling.BOX))[:, :, None]
    layer = np.concatenate([coverage * (pick_colour(rng, 0.7) / 255), coverage], axis=-1)
    return layer.astype(np.uint8)


def _stand_before(
    studio: Studio,
    rng: np.random.Generator,
    occluder: Occluder,
    box: tuple[NDArray[np.float64], NDArray[np.float64]],
    light: Light,
    model: Model,
) -> Layer:
    size, yaw = studio.size, float(rng.uniform(-np.pi, np.pi))
    points = _turned(model, yaw)
    frame = framing.fit(framing.aim(1.0, 3.0, 0.25, 0.0, size), points, float(rng.uniform(0.5, 0.9)), (0.5, 0.5))
    low, high = framing.box(frame, points)
    edge, (left, top), (right, bottom) = _edge(occluder, box), low, high
    shift = {
        "left": (edge - right, 0.95 * size - bottom),
        "right": (edge - left, 0.95 * size - bottom),
        "bottom": ((box[0][0] + box[1][0] - left - right) / 2, edge - top),
    }[occluder.side]
    middle = ((left + right) / 2 + shift[0]) / size, ((top + bottom) / 2 + shift[1]) / size
    frame = framing.fit(frame, points, float((high - low).max()) / size, (float(middle[0]), float(middle[1])))
    return studio.shoot([(model, framing.placement(yaw))], frame, light)
