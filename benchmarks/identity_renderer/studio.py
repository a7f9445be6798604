"""The studio: draws things with OpenGL in memory (OSMesa), without a screen or a graphics card.

PyOpenGL chooses its platform when it is first imported, so `PYOPENGL_PLATFORM=osmesa` is set here.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

os.environ["PYOPENGL_PLATFORM"] = "osmesa"
# One core a process: workers are the unit of parallelism, and one thread draws the same bytes every time.
os.environ.setdefault("LP_NUM_THREADS", "1")

from OpenGL import GL, osmesa

from identity_renderer.framing import Frame, Matrix, flatten, sun_clip
from identity_renderer.mesh import Mesh, Part
from identity_renderer.shaders import FRAGMENT, VERTEX

SHADOW_SIZE = 512
_SAMPLES = 4

Colours = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Light:
    """What falls on things; levels are linear.

    Attributes:
        towards: (3,) unit vector to the key light.
        key: its level.
        sky: level from above.
        ground: level from below.
    """

    towards: Matrix
    key: Colours
    sky: Colours
    ground: Colours


@dataclass(frozen=True)
class _Uploaded:
    """One part in the memory of OpenGL."""

    array: int
    buffers: tuple[int, ...]
    count: int
    texture: int
    colour: Colours
    gloss: float


@dataclass(frozen=True, eq=False)
class Model:
    """A thing that can be drawn.

    Attributes:
        points: (N, 3) float32, its vertices.
        parts: what OpenGL holds of it.
    """

    points: NDArray[np.float32]
    parts: tuple[_Uploaded, ...]


Placed = tuple[Model, Matrix]
"""A model and the (4, 4) matrix that places it in the world."""


class Studio:
    """Draws square frames of one size.

    Args:
        size: of a side in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pixels = np.zeros((size, size, 4), dtype=np.uint8)
        attributes = [
            (osmesa.OSMESA_FORMAT, GL.GL_RGBA),
            (osmesa.OSMESA_DEPTH_BITS, 24),
            (osmesa.OSMESA_PROFILE, osmesa.OSMESA_CORE_PROFILE),
            (osmesa.OSMESA_CONTEXT_MAJOR_VERSION, 3),
            (osmesa.OSMESA_CONTEXT_MINOR_VERSION, 3),
        ]
        flat = [number for pair in attributes for number in pair] + [0]
        self._context = osmesa.OSMesaCreateContextAttribs((ctypes.c_int * len(flat))(*flat), None)
        if not osmesa.OSMesaMakeCurrent(self._context, self._pixels, GL.GL_UNSIGNED_BYTE, size, size):
            raise RuntimeError("OSMesa gives no OpenGL 3.3 context: expected Mesa's libosmesa6, install or update it")
        self._program = _link_program()
        self._places = {name: GL.glGetUniformLocation(self._program, name) for name in _UNIFORMS}
        GL.glUseProgram(self._program)
        GL.glUniform1i(self._places["surface"], 0)
        GL.glUniform1i(self._places["shadows"], 1)
        self._sampled = _make_frame(size, _SAMPLES)
        self._resolved = _make_frame(size, 0)
        self._coarse = _make_frame(size // 2, 0)
        self._shadow_frame, self._shadow_map = _make_shadow_map()
        GL.glEnable(GL.GL_DEPTH_TEST)

    def upload(self, mesh: Mesh) -> Model:
        """Hand a mesh to OpenGL; `release` it when it is not needed any more."""
        points = np.concatenate([part.vertices for part in mesh.parts])
        return Model(points, tuple(_upload(part) for part in mesh.parts))

    def release(self, model: Model) -> None:
        """Free what OpenGL holds of a model."""
        for part in model.parts:
            GL.glDeleteVertexArrays(1, [part.array])
            GL.glDeleteBuffers(len(part.buffers), list(part.buffers))
            if part.texture:
                GL.glDeleteTextures([part.texture])

    def shoot(self, things: Sequence[Placed], frame: Frame, light: Light) -> NDArray[np.uint8]:
        """Draw things.

        Returns:
            (size, size, 4) uint8: sRGB premultiplied by the coverage, and the coverage.
        """
        self._cast_shadows(things, light)
        GL.glUniform3f(self._places["eye"], *frame.position)
        GL.glUniform3f(self._places["key_towards"], *light.towards)
        for name, level in (("key", light.key), ("sky", light.sky), ("ground", light.ground)):
            GL.glUniform3f(self._places[name], *level)
        self._draw(things, frame, self._sampled, silhouette=False)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._sampled)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, self._resolved)
        corners = (0, 0, self.size, self.size)
        GL.glBlitFramebuffer(*corners, *corners, GL.GL_COLOR_BUFFER_BIT, GL.GL_NEAREST)
        return self._read(self._resolved, self.size)

    def shadow(self, things: Sequence[Placed], frame: Frame, towards_light: Matrix) -> NDArray[np.uint8]:
        """Draw the hard shadows that things throw on the ground, coarsely since they are softened anyway.

        Returns:
            (size // 2, size // 2) uint8, 255 in the shadow.
        """
        lay, half = flatten(towards_light), self.size // 2
        laid = [(model, lay @ place) for model, place in things]
        self._draw(laid, frame.resized(half), self._coarse, silhouette=True)
        return self._read(self._coarse, half)[:, :, 3]

    def _draw(self, things: Sequence[Placed], frame: Frame, target: int, *, silhouette: bool) -> None:
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, target)
        GL.glViewport(0, 0, frame.size, frame.size)
        GL.glClearColor(0, 0, 0, 0)
        GL.glClear(GL.GL_COLOR_BUFFER_BIT | GL.GL_DEPTH_BUFFER_BIT)
        GL.glUniform1i(self._places["silhouette"], int(silhouette))
        self._set_matrix("clip", frame.clip())
        self._draw_parts(things, textured=not silhouette)

    def _read(self, target: int, size: int) -> NDArray[np.uint8]:
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, target)
        raw = GL.glReadPixels(0, 0, size, size, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(raw, dtype=np.uint8).reshape(size, size, 4)[::-1].copy()

    def _cast_shadows(self, things: Sequence[Placed], light: Light) -> None:
        corners = np.concatenate([_corners(model) @ place[:3, :3].T + place[:3, 3] for model, place in things])
        middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
        radius = float(np.linalg.norm(corners - middle, axis=1).max())
        clip = sun_clip(light.towards, radius, middle)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._shadow_frame)
        GL.glViewport(0, 0, SHADOW_SIZE, SHADOW_SIZE)
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        GL.glUniform1i(self._places["silhouette"], 1)
        self._set_matrix("clip", clip)
        self._set_matrix("light_clip", clip)
        self._draw_parts(things, textured=False)
        GL.glActiveTexture(GL.GL_TEXTURE1)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._shadow_map)
        GL.glActiveTexture(GL.GL_TEXTURE0)

    def _draw_parts(self, things: Sequence[Placed], *, textured: bool) -> None:
        for model, place in things:
            self._set_matrix("model", place)
            for part in model.parts:
                if textured:
                    GL.glUniform3f(self._places["colour"], *part.colour)
                    GL.glUniform1f(self._places["gloss"], part.gloss)
                    GL.glUniform1i(self._places["textured"], int(part.texture != 0))
                    GL.glBindTexture(GL.GL_TEXTURE_2D, part.texture)
                GL.glBindVertexArray(part.array)
                GL.glDrawElements(GL.GL_TRIANGLES, part.count, GL.GL_UNSIGNED_INT, None)

    def _set_matrix(self, name: str, matrix: Matrix) -> None:
        GL.glUniformMatrix4fv(self._places[name], 1, GL.GL_TRUE, np.ascontiguousarray(matrix, dtype=np.float32))


_UNIFORMS = (
    *("model", "clip", "light_clip", "eye", "colour", "gloss", "textured", "silhouette"),
    *("surface", "shadows", "key_towards", "key", "sky", "ground"),
)


def _corners(model: Model) -> Matrix:
    low, high = model.points.min(axis=0), model.points.max(axis=0)
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def _link_program() -> int:
    program = GL.glCreateProgram()
    for kind, text in ((GL.GL_VERTEX_SHADER, VERTEX), (GL.GL_FRAGMENT_SHADER, FRAGMENT)):
        shader = GL.glCreateShader(kind)
        GL.glShaderSource(shader, text)
        GL.glCompileShader(shader)
        if not GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS):
            raise RuntimeError(f"a shader does not compile: {GL.glGetShaderInfoLog(shader)!r}")
        GL.glAttachShader(program, shader)
    GL.glLinkProgram(program)
    return int(program)


def _make_frame(size: int, samples: int) -> int:
    frame = GL.glGenFramebuffers(1)
    GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, frame)
    for attachment, content in (
        (GL.GL_COLOR_ATTACHMENT0, GL.GL_RGBA8),
        (GL.GL_DEPTH_ATTACHMENT, GL.GL_DEPTH_COMPONENT24),
    ):
        buffer = GL.glGenRenderbuffers(1)
        GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, buffer)
        GL.glRenderbufferStorageMultisample(GL.GL_RENDERBUFFER, samples, content, size, size)
        GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, attachment, GL.GL_RENDERBUFFER, buffer)
    return int(frame)


def _make_shadow_map() -> tuple[int, int]:
    texture = GL.glGenTextures(1)
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    edge = (SHADOW_SIZE, SHADOW_SIZE)
    content = (GL.GL_DEPTH_COMPONENT24, *edge, 0, GL.GL_DEPTH_COMPONENT, GL.GL_FLOAT, None)
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, *content)
    for name, value in (
        (GL.GL_TEXTURE_MIN_FILTER, GL.GL_NEAREST),
        (GL.GL_TEXTURE_MAG_FILTER, GL.GL_NEAREST),
        (GL.GL_TEXTURE_WRAP_S, GL.GL_CLAMP_TO_EDGE),
        (GL.GL_TEXTURE_WRAP_T, GL.GL_CLAMP_TO_EDGE),
    ):
        GL.glTexParameteri(GL.GL_TEXTURE_2D, name, value)
    frame = GL.glGenFramebuffers(1)
    GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, frame)
    GL.glFramebufferTexture2D(GL.GL_FRAMEBUFFER, GL.GL_DEPTH_ATTACHMENT, GL.GL_TEXTURE_2D, texture, 0)
    GL.glDrawBuffer(GL.GL_NONE)
    GL.glReadBuffer(GL.GL_NONE)
    return int(frame), int(texture)


def _upload(part: Part) -> _Uploaded:
    array = GL.glGenVertexArrays(1)
    GL.glBindVertexArray(array)
    buffers = []
    rows = [(0, part.vertices), (1, part.normals)] + ([(2, part.uv)] if part.uv is not None else [])
    for place, values in rows:
        buffers.append(_fill_buffer(GL.GL_ARRAY_BUFFER, np.ascontiguousarray(values, dtype=np.float32)))
        GL.glEnableVertexAttribArray(place)
        GL.glVertexAttribPointer(place, values.shape[1], GL.GL_FLOAT, False, 0, None)
    buffers.append(_fill_buffer(GL.GL_ELEMENT_ARRAY_BUFFER, np.ascontiguousarray(part.faces, dtype=np.uint32)))
    texture = _upload_texture(part.texture) if part.texture is not None and part.uv is not None else 0
    return _Uploaded(int(array), tuple(buffers), part.faces.size, texture, part.colour, part.gloss)


def _fill_buffer(target: int, values: NDArray[np.float32] | NDArray[np.uint32]) -> int:
    buffer = GL.glGenBuffers(1)
    GL.glBindBuffer(target, buffer)
    GL.glBufferData(target, values.nbytes, values, GL.GL_STATIC_DRAW)
    return int(buffer)


def _upload_texture(image: NDArray[np.uint8]) -> int:
    texture = GL.glGenTextures(1)
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
    flipped = np.ascontiguousarray(image[::-1])
    height, width = image.shape[:2]
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_RGB8, width, height, 0, GL.GL_RGB, GL.GL_UNSIGNED_BYTE, flipped)
    GL.glGenerateMipmap(GL.GL_TEXTURE_2D)
    GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR_MIPMAP_LINEAR)
    GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR)
    return int(texture)
