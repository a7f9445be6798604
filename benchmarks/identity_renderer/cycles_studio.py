"""The same studio with traced light: Blender Cycles draws the things on the CPU, OSMesa still their shadows.

Only what is drawn differs. Plan, camera, light, background, development and the rejection of invisible changes are
those of every other set, so that two sets of one seed show what the renderer makes of the same scenes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix as BlenderMatrix  # type: ignore[import-not-found]
from numpy.typing import NDArray
from PIL import Image

from identity_renderer.framing import Frame, Matrix
from identity_renderer.mesh import Mesh, Part
from identity_renderer.studio import Colours, Light, Model, Placed, Studio

SAMPLES = 16
_SENSOR_MM = 36.0
_REACH = 40.0
_GROUND = "ground beneath the things"
# Blender's z is up and its y leads away from the viewer; ours are y and -z.
_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class TracedModel(Model):
    """A thing that OSMesa and Cycles can draw.

    Attributes:
        meshes: Blender's own, one a part, y up as ours; their materials come with them.
    """

    meshes: tuple[Any, ...]


class CyclesStudio(Studio):
    """Draws square frames of one size by path tracing.

    Args:
        size: of a side in pixels.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        _choose_settings(size)

    def upload(self, mesh: Mesh) -> TracedModel:
        """Hand a mesh to both renderers; `release` it when it is not needed any more."""
        model = super().upload(mesh)
        return TracedModel(model.points, model.parts, tuple(_make_mesh(part) for part in mesh.parts))

    def release(self, model: Model) -> None:
        """Free what both renderers hold of a model."""
        super().release(model)
        for data in _traced(model).meshes:
            (material,) = data.materials
            images = [node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"]
            bpy.data.meshes.remove(data)
            bpy.data.materials.remove(material)
            for image in images:
                bpy.data.images.remove(image)

    def shoot(self, things: Sequence[Placed], frame: Frame, light: Light) -> NDArray[np.uint8]:
        """Draw things.

        Returns:
            (size, size, 4) uint8: sRGB premultiplied by the coverage, and the coverage.
        """
        for model, place in things:
            for data in _traced(model).meshes:
                _add(bpy.data.objects.new("part", data)).matrix_world = _pose(
                    _TO_BLENDER @ place[:3, :3], _TO_BLENDER @ place[:3, 3]
                )
        _add_ground(light)
        _add_sun(light)
        _add_world(light)
        _add_camera(frame)
        try:
            return _render(frame.size)
        finally:
            _strike()


def _traced(model: Model) -> TracedModel:
    if not isinstance(model, TracedModel):
        raise TypeError(f"a {type(model).__name__} of another studio")
    return model


def _make_mesh(part: Part) -> Any:  # noqa: ANN401  (Blender's classes have no types)
    data = bpy.data.meshes.new(part.name)
    data.from_pydata(part.vertices.tolist(), [], _wound_outward(part).tolist())
    if part.uv is not None:
        corners = np.empty(len(data.loops), np.int32)
        data.loops.foreach_get("vertex_index", corners)
        layer = data.uv_layers.new(name="uv")
        layer.data.foreach_set("uv", np.ascontiguousarray(part.uv[corners], np.float32).ravel())
    data.polygons.foreach_set("use_smooth", np.ones(len(data.polygons), bool))
    data.normals_split_custom_set_from_vertices(part.normals.tolist())
    data.materials.append(_material(part))
    return data


def _wound_outward(part: Part) -> NDArray[np.int32]:
    """Return faces (F, 3) wound as their normals say: archives hold either, and Cycles shades the wrong side black."""
    a, b, c = (part.vertices[part.faces[:, corner]] for corner in range(3))
    facing = np.einsum("fx,fx->f", np.cross(b - a, c - a), part.normals[part.faces].sum(axis=1))
    return np.where(facing[:, None] < 0, part.faces[:, ::-1], part.faces)


def _material(part: Part) -> Any:  # noqa: ANN401
    material = bpy.data.materials.new(part.name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    colour = tuple(value**2.2 for value in part.colour)
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.85 - 0.65 * part.gloss
    if part.texture is None or part.uv is None:
        return material
    image, tint = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeMix")
    image.image = _image(part.texture)
    tint.data_type, tint.blend_type = "RGBA", "MULTIPLY"
    tint.inputs["Factor"].default_value = 1.0
    # By number: the node has sockets of one name for every type; 6, 7 and output 2 are the colours.
    tint.inputs[7].default_value = (*colour, 1.0)
    links.new(image.outputs["Color"], tint.inputs[6])
    links.new(tint.outputs[2], shader.inputs["Base Color"])
    return material


def _image(texture: NDArray[np.uint8]) -> Any:  # noqa: ANN401
    height, width = texture.shape[:2]
    image = bpy.data.images.new("texture", width, height)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[:, :, :3] = texture[::-1] / np.float32(255)  # Blender's first row is the lowest
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    return image


def _add_ground(light: Light) -> None:
    """Lay a floor that the camera does not see: things bounce light off it and stand in their own shade."""
    data = bpy.data.meshes.new(_GROUND)
    corners = [(x * _REACH, y * _REACH, 0.0) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    data.from_pydata(corners, [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new(_GROUND)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Specular IOR Level"].default_value = 0.0
    falls = np.array(light.key) * light.towards[1] + np.array(light.sky)
    # So bright that it gives back what the light says comes from below.
    shader.inputs["Base Color"].default_value = (*np.clip(np.array(light.ground) / falls, 0, 0.9).tolist(), 1.0)
    shader.inputs["Roughness"].default_value = 1.0
    data.materials.append(material)
    ground = bpy.data.objects.new(_GROUND, data)
    ground.visible_camera = False
    _add(ground)


def _add_sun(light: Light) -> None:
    data = bpy.data.lights.new("sun", "SUN")
    brightest = max(light.key)
    # A matt surface that faces a sun of strength pi is as bright as its colour.
    data.energy, data.color = math.pi * brightest, tuple(level / brightest for level in light.key)
    data.angle = math.radians(4)
    sun = bpy.data.objects.new("sun", data)
    back = _TO_BLENDER @ light.towards
    right = np.cross([0.0, 0.0, 1.0], back)
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([1.0, 0.0, 0.0])
    sun.matrix_world = _pose(np.stack([right, np.cross(back, right), back], axis=1), np.zeros(3))
    _add(sun)


def _add_world(light: Light) -> None:
    """Surround everything with a sky above and the ground's light below."""
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    where, parts, ramp = (nodes.new(f"ShaderNode{kind}") for kind in ("NewGeometry", "SeparateXYZ", "ValToRGB"))
    links.new(where.outputs["Incoming"], parts.inputs["Vector"])
    half = nodes.new("ShaderNodeMapRange")
    # "Incoming" points from the sky to the viewer, so the zenith is at -1.
    half.inputs["From Min"].default_value, half.inputs["From Max"].default_value = 0.05, -0.05
    links.new(parts.outputs["Z"], half.inputs["Value"])
    links.new(half.outputs["Result"], ramp.inputs["Fac"])
    ramp.color_ramp.elements[0].color = _opaque(light.ground)
    ramp.color_ramp.elements[1].color = _opaque(light.sky)
    links.new(ramp.outputs["Color"], nodes["Background"].inputs["Color"])


def _add_camera(frame: Frame) -> None:
    data = bpy.data.cameras.new("camera")
    data.sensor_width, data.lens = _SENSOR_MM, _SENSOR_MM * frame.focal / frame.size
    data.shift_x, data.shift_y = 0.5 - frame.centre[0] / frame.size, frame.centre[1] / frame.size - 0.5
    data.clip_start = 0.02
    camera = bpy.data.objects.new("camera", data)
    camera.matrix_world = _pose(_TO_BLENDER @ frame.rotation.T, _TO_BLENDER @ frame.position)
    _add(camera)
    bpy.context.scene.camera = camera


def _choose_settings(size: int) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", SAMPLES, 0
    scene.cycles.use_denoising, scene.cycles.max_bounces = True, 4
    scene.cycles.denoising_quality = scene.cycles.denoising_prefilter = "FAST"
    scene.render.film_transparent = True
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.view_settings.view_transform = "Standard"


def _render(size: int) -> NDArray[np.uint8]:
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = size
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "shot.png")
        bpy.ops.render.render(write_still=True)
        with Image.open(scene.render.filepath) as picture:
            layer = np.asarray(picture.convert("RGBA"))
    coverage = layer[:, :, 3:].astype(np.uint16)
    return np.concatenate([(layer[:, :, :3] * coverage + 127) // 255, coverage], axis=-1).astype(np.uint8)


def _strike() -> None:
    """Clear the stage; what models hold stays."""
    for thing in list(bpy.context.scene.collection.objects):
        data = thing.data
        bpy.data.objects.remove(thing)
        if isinstance(data, bpy.types.Light):
            bpy.data.lights.remove(data)
        elif isinstance(data, bpy.types.Camera):
            bpy.data.cameras.remove(data)
        elif data.name.startswith(_GROUND):
            bpy.data.materials.remove(data.materials[0])
            bpy.data.meshes.remove(data)
    bpy.data.worlds.remove(bpy.context.scene.world)


def _pose(axes: Matrix, position: Matrix) -> Any:  # noqa: ANN401
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, position
    return BlenderMatrix(matrix.tolist())


def _opaque(levels: Colours) -> tuple[float, float, float, float]:
    return (*levels, 1.0)


def _add(thing: Any) -> Any:  # noqa: ANN401
    bpy.context.scene.collection.objects.link(thing)
    return thing
