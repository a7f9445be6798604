"""The photographer: Blender Cycles takes one shot as a transparent foreground with its shadow."""

import math
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix, Vector  # type: ignore[import-not-found]

from catalog_renderer.objects import CatalogObject
from catalog_renderer.plan import Shot
from catalog_renderer.scenes import SURFACES
from catalog_renderer.sources import Sources

LENS_MM, SENSOR_MM = 50.0, 36.0
SAMPLES = 24
SHINY = 0.45


def take(shot: Shot, size: tuple[int, int], around: tuple[Path, float], sources: Sources, work: Path) -> Path:
    """Render a shot's foreground.

    Args:
        shot: What to render.
        size: Frame width and height in pixels.
        around: Picture that lights the object from everywhere and shows in its reflections, and its strength.
        sources: Where models and textures are.
        work: Folder for unpacked files and the result.

    Returns:
        Path of an RGBA PNG with straight alpha.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    meshes = _place(shot, shot.framed_by, sources, work)
    points = _vertices(meshes)
    camera = _add_camera(shot, points, size)
    if shot.thing != shot.framed_by:
        for mesh in meshes:
            bpy.data.objects.remove(mesh)
        # Recolours share their materials' names with the original; purge it, or the new one is renamed.
        bpy.ops.outliner.orphans_purge(do_recursive=True)
        _place(shot, shot.thing, sources, work)
    _add_ground(shot, points, sources, work)
    _add_light(shot, around)
    return _render(camera, size, work / f"{shot.path.replace('/', '-')}.png")


def _place(shot: Shot, thing: CatalogObject, sources: Sources, work: Path) -> list[bpy.types.Object]:
    """Import a model, standing on z = 0 at the origin and turned as the shot says; return its meshes.

    It has its true size, or the size of the object that the shot is framed by: pictures of single things show no scale.
    """
    model = sources.model(thing)
    bpy.ops.wm.obj_import(filepath=str(sources.unpack_model(thing, work)), forward_axis="Y", up_axis="Z")
    meshes = [item for item in bpy.context.scene.objects if item.type == "MESH"]
    # The catalogue's axes have y up and z towards the viewer; Blender's have z up and y away.
    to_blender = Matrix(((1, 0, 0), (0, 0, -1), (0, 1, 0)))
    rows = [model.rotation[start : start + 3] for start in (0, 3, 6)]
    upright = (to_blender @ Matrix(rows)).to_4x4()
    for mesh in meshes:
        mesh.data.transform(upright @ mesh.matrix_world)
        mesh.matrix_world = Matrix.Identity(4)
    points = _vertices(meshes)
    low, high = points.min(axis=0), points.max(axis=0)
    wanted = np.array(model.size_m) * max(sources.model(shot.framed_by).size_m) / max(model.size_m)
    scale = wanted / (high - low)
    middle = (low + high) / 2
    fit = Matrix.Diagonal((*scale, 1)) @ Matrix.Translation((-middle[0], -middle[1], -low[2]))
    turn = Matrix.Rotation(math.radians(shot.yaw), 4, "Z")
    for mesh in meshes:
        mesh.data.transform(turn @ fit)
        mesh.data.update()
    _finish_materials(meshes, thing)
    return meshes


def _vertices(meshes: list[bpy.types.Object]) -> npt.NDArray[np.float64]:
    """Return every vertex that a face uses, (N, 3), metres; stray points would spoil size and framing."""
    parts = []
    for mesh in meshes:
        used = sorted({index for face in mesh.data.polygons for index in face.vertices})
        coordinates = np.empty(len(mesh.data.vertices) * 3, dtype=np.float64)
        mesh.data.vertices.foreach_get("co", coordinates)
        parts.append(coordinates.reshape(-1, 3)[used])
    return np.concatenate(parts)


def _finish_materials(meshes: list[bpy.types.Object], thing: CatalogObject) -> None:
    """Give OBJ materials believable surfaces, and a recoloured object its new colours."""
    # By name: meshes share materials, and each may be changed only once.
    materials = {slot.material.name: slot.material for mesh in meshes for slot in mesh.material_slots}
    for name, material in materials.items():
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Metallic"].default_value = 1.0 if name in thing.metal else 0.0
        shiny = name in thing.metal or shader.inputs["Specular IOR Level"].default_value >= SHINY
        shader.inputs["Roughness"].default_value = 0.28 if shiny else 0.55
        colour = shader.inputs["Base Color"]
        # The archives' colours are meant as sRGB, Blender reads them as linear: left alone, everything is washed out.
        linear = tuple(value**2.2 for value in tuple(colour.default_value)[:3])
        colour.default_value = (*dict(thing.recolour).get(name, linear), 1.0)


def _half_angles(size: tuple[int, int]) -> tuple[float, float]:
    """Return the tangents of half the horizontal and vertical angle of view."""
    longest = max(size)
    return tuple(SENSOR_MM / 2 / LENS_MM * side / longest for side in size)  # type: ignore[return-value]


def _add_camera(shot: Shot, points: npt.NDArray[np.float64], size: tuple[int, int]) -> bpy.types.Object:
    """Put the camera where the object fills `shot.fill` of the frame around `shot.centre`.

    On a photograph's own ground the tilt follows from its horizon. The camera then only moves, it never shifts its
    lens: shifting would move the horizon away from the photograph's.
    """
    half_x, half_y = _half_angles(size)
    pitch = math.radians(shot.pitch)
    if not shot.scene.surface:
        pitch = math.atan((1 - 2 * shot.scene.horizon) * half_y)
    right = np.array([1.0, 0.0, 0.0])
    forward = np.array([0.0, math.cos(pitch), -math.sin(pitch)])
    up = np.cross(right, forward)
    position = points.mean(axis=0) - forward * 10
    for _ in range(40):
        seen = points - position
        depth = seen @ forward
        x, y = seen @ right / depth / half_x, seen @ up / depth / half_y
        filled = max(np.ptp(x), np.ptp(y)) / 2
        middle = float(np.median(depth))
        off_x = (x.max() + x.min()) / 2 - (2 * shot.centre[0] - 1)
        off_y = (y.max() + y.min()) / 2 - (1 - 2 * shot.centre[1])
        position = position + right * off_x * half_x * middle + up * off_y * half_y * middle
        position = position - forward * middle * (filled / shot.fill - 1) * 0.8
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width, data.clip_start = LENS_MM, SENSOR_MM, 0.01
    camera = bpy.data.objects.new("camera", data)
    camera.matrix_world = Matrix.Translation(Vector(position)) @ Matrix.Rotation(math.pi / 2 - pitch, 4, "X")
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    return camera


def _add_ground(shot: Shot, points: npt.NDArray[np.float64], sources: Sources, work: Path) -> None:
    """Lay a surface that ends behind the object, or an invisible ground that only catches its shadow."""
    reach = float(np.ptp(points, axis=0).max())
    behind = 1.1 if shot.scene.place == "table" else 4.0
    near, far, side = -60 * reach, points[:, 1].max() + behind * reach, 80 * reach
    data = bpy.data.meshes.new("ground")
    data.from_pydata([(-side, near, 0), (side, near, 0), (side, far, 0), (-side, far, 0)], [], [(0, 1, 2, 3)])
    ground = bpy.data.objects.new("ground", data)
    bpy.context.scene.collection.objects.link(ground)
    if not shot.scene.surface:
        ground.is_shadow_catcher = True
        return
    surface = SURFACES[shot.scene.surface]
    material = bpy.data.materials.new("surface")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    where, stretch = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
    stretch.inputs["Scale"].default_value = (1 / surface.width_m,) * 3
    image, tint = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeMix")
    image.image = bpy.data.images.load(str(sources.texture(surface, work)))
    tint.data_type, tint.blend_type = "RGBA", "MULTIPLY"
    tint.inputs["Factor"].default_value = 1.0
    # By number: the node has sockets of one name for every type; 6, 7 and output 2 are the colours.
    tint.inputs[7].default_value = (*surface.tint, 1.0)
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = 0.65
    links.new(where.outputs["Object"], stretch.inputs["Vector"])
    links.new(stretch.outputs["Vector"], image.inputs["Vector"])
    links.new(image.outputs["Color"], tint.inputs[6])
    links.new(tint.outputs[2], shader.inputs["Base Color"])
    data.materials.append(material)


def _add_light(shot: Shot, around: tuple[Path, float]) -> None:
    """Add one sun with soft shadows, and the photograph itself from everywhere else."""
    data = bpy.data.lights.new("sun", "SUN")
    data.energy = shot.scene.power * shot.light
    data.angle = math.radians(9 if shot.scene.place == "table" else 4)
    data.color = (1.0, 1.0 - 0.06 * max(shot.warmth, 0), 1.0 - 0.16 * max(shot.warmth, 0))
    azimuth, elevation = (math.radians(angle) for angle in shot.scene.sun)
    sun = bpy.data.objects.new("sun", data)
    towards = Vector(
        (math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation))
    )
    sun.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    surroundings = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
    surroundings.image = bpy.data.images.load(str(around[0]))
    world.node_tree.links.new(surroundings.outputs["Color"], background.inputs["Color"])
    background.inputs["Strength"].default_value = around[1] * shot.light


def _render(camera: bpy.types.Object, size: tuple[int, int], path: Path) -> Path:
    scene = bpy.context.scene
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = SAMPLES
    scene.cycles.seed = 0
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 5
    scene.render.film_transparent = True
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return path
