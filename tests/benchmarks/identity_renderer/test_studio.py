from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from identity_renderer import framing
from identity_renderer.mesh import Colour, Mesh, Part
from numpy.typing import NDArray

if TYPE_CHECKING:
    from identity_renderer.studio import Studio


@pytest.fixture(scope="module")
def studio() -> Studio:
    pytest.importorskip("OpenGL", reason="PyOpenGL is in the renderer's own environment alone")
    try:
        from identity_renderer.studio import Studio
    except ImportError as error:
        pytest.skip(f"OSMesa is not installed: {error}")
    return Studio(96)


def box(colour: Colour) -> Mesh:
    """A cube of side 1 on the ground, each face with its own corners."""
    steps = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5
    vertices: list[NDArray[np.float64]] = []
    normals: list[NDArray[np.float64]] = []
    faces: list[list[int]] = []
    for axis in range(3):
        for sign in (-1, 1):
            corners = np.insert(steps, axis, sign * 0.5, axis=1)
            faces += [[len(vertices) + n for n in triangle] for triangle in ([0, 1, 2], [0, 2, 3])]
            vertices += [corner + np.array([0, 0.5, 0]) for corner in corners]
            normals += [np.eye(3)[axis] * sign] * 4
    arrays = np.array(vertices, dtype=np.float32), np.array(faces, dtype=np.int32), np.array(normals, dtype=np.float32)
    return Mesh("box", "box", "test", "CC0-1.0", "", (Part("box", *arrays, None, colour, gloss=0.0),))


def test_thing_stands_where_the_frame_says_in_its_colour_with_its_shadow(studio: Studio) -> None:
    from identity_renderer.studio import Light

    model = studio.upload(box((0.9, 0.2, 0.1)))
    frame = framing.fit(framing.aim(1.0, 4.0, 0.5, 0.0, 96), model.points, 0.5, (0.5, 0.5))
    light = Light(framing.towards(0.9, 0.8), (0.8, 0.8, 0.8), (0.4, 0.4, 0.4), (0.2, 0.2, 0.2))

    layer = studio.shoot([(model, np.eye(4))], frame, light)
    shadow = studio.shadow([(model, np.eye(4))], frame, light.towards)

    low, high = framing.box(frame, model.points)
    rows, columns = np.nonzero(layer[:, :, 3] > 127)
    np.testing.assert_allclose([columns.min(), rows.min()], low, atol=1)
    np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], high, atol=1)
    middle = layer[48, 48]
    assert middle[0] > 2 * middle[1] > middle[2]
    assert layer[0, 0].tolist() == [0, 0, 0, 0]
    # The light comes from the right, so the shadow reaches further to the left than the box.
    assert np.nonzero(shadow)[1].min() * 2 < low[0] - 3
    np.testing.assert_array_equal(studio.shoot([(model, np.eye(4))], frame, light), layer)
    studio.release(model)


def test_traced_light_draws_the_same_thing_in_the_same_place(studio: Studio) -> None:
    pytest.importorskip("bpy", reason="Blender is in an environment of its own")
    from identity_renderer.cycles_studio import CyclesStudio
    from identity_renderer.studio import Light

    traced = CyclesStudio(96)
    frame = framing.fit(
        framing.aim(1.0, 4.0, 0.5, 0.1, 96), studio.upload(box((0.9, 0.2, 0.1))).points, 0.5, (0.4, 0.6)
    )
    light = Light(framing.towards(0.9, 0.8), (0.8, 0.8, 0.8), (0.4, 0.4, 0.4), (0.2, 0.2, 0.2))
    layers = []
    for each in (studio, traced, traced):
        model = each.upload(box((0.9, 0.2, 0.1)))
        layers.append(each.shoot([(model, framing.placement(0.3))], frame, light).astype(int))
        each.release(model)
    drawn, first, again = layers
    assert (np.abs(drawn[:, :, 3] - first[:, :, 3]) > 127).mean() < 0.005
    inside = (drawn[:, :, 3] == 255) & (first[:, :, 3] == 255)
    assert np.abs(drawn - first)[inside][:, :3].mean() < 30
    np.testing.assert_array_equal(first, again)
