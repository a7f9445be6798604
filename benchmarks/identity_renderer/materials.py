"""Materials of OBJ files: colour, gloss and texture from MTL text."""

from __future__ import annotations

import io
import math
import posixpath
import re
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from identity_renderer.errors import MeshError
from identity_renderer.mesh import Colour

MAX_TEXTURE_PX = 512
_MAX_MEMBER_BYTES = 64 << 20
_MAX_PIXELS = 64_000_000
# Materials this transparent are light beams and invisible helpers, not surfaces.
_INVISIBLE = 0.06


@dataclass(frozen=True)
class Material:
    """One `newmtl` of an MTL file.

    Attributes:
        colour: Diffuse sRGB colour.
        gloss: 0 matt to 1 mirror-like.
        texture: File name of the colour texture without folders; empty if plain.
        visible: False for almost fully transparent materials.
    """

    colour: Colour = (0.7, 0.7, 0.7)
    gloss: float = 0.2
    texture: str = ""
    visible: bool = True


def read_materials(text: str) -> dict[str, Material]:
    """Read an MTL file.

    Returns:
        The materials by name; texture paths are cut to their last part, so they can point nowhere else.

    Raises:
        MeshError: A colour is no number.
    """
    found = {}
    for block in re.split(r"^\s*newmtl\s+", text, flags=re.MULTILINE)[1:]:
        name, _, body = block.partition("\n")
        values = dict(re.findall(r"^\s*(\w+)[ \t]+(.*?)\s*$", body, re.MULTILINE))
        try:
            found[name.strip()] = _material(values)
        except ValueError as error:
            raise MeshError(f"The material {name.strip()!r} holds what is no number ({error}): leave it out") from error
    return found


def _material(values: dict[str, str]) -> Material:
    def numbers(key: str, default: str) -> list[float]:
        return [min(max(float(number), 0.0), 1000.0) for number in values.get(key, default).split()[:3]]

    red, green, blue = (min(value, 1.0) for value in (numbers("Kd", "0.7 0.7 0.7") * 3)[:3])
    shine = sum(numbers("Ks", "0.2")) / len(numbers("Ks", "0.2"))
    sharpness = math.log2(1 + numbers("Ns", "20")[0]) / 10
    return Material(
        colour=(red, green, blue),
        gloss=round(min(1.0, 0.05 + 0.9 * min(shine, 1.0) * min(sharpness, 1.0)), 3),
        texture=posixpath.basename(values.get("map_Kd", "").replace("\\", "/")),
        visible=numbers("d", "1")[0] > _INVISIBLE,
    )


def read_member(archive: zipfile.ZipFile, member: str) -> bytes:
    """Return the bytes of an archive's member.

    Raises:
        MeshError: It is not there, damaged, or larger than 64 MiB.
    """
    try:
        if archive.getinfo(member).file_size > _MAX_MEMBER_BYTES:
            raise MeshError(f"{member} has more than {_MAX_MEMBER_BYTES} bytes: leave it out")
        return archive.read(member)
    except KeyError as error:
        raise MeshError(f"{archive.filename} holds no {member}, which its catalogue names: leave it out") from error
    except zipfile.BadZipFile as error:
        raise MeshError(f"{member} in {archive.filename} is damaged ({error}): leave it out") from error


def read_texture(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a texture to (H, W, 3) sRGB with sides of at most 512 px; transparent pixels take the mean colour.

    Raises:
        MeshError: Pillow cannot read it, or it has more than 64 million pixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise MeshError(f"The texture {name} has {opened.width} x {opened.height} pixels: leave it out")
            opened.draft("RGB", (MAX_TEXTURE_PX, MAX_TEXTURE_PX))
            image = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    except OSError as error:
        raise MeshError(f"The texture {name} cannot be decoded ({error}): leave it out") from error
    image.thumbnail((MAX_TEXTURE_PX, MAX_TEXTURE_PX), Image.Resampling.BOX)
    pixels = np.asarray(image, dtype=np.float32)
    if pixels.shape[2] == 3:
        return np.asarray(image)
    share = pixels[:, :, 3:] / 255
    mean = (pixels[:, :, :3] * share).sum(axis=(0, 1)) / max(float(share.sum()), 1.0)
    return np.asarray((pixels[:, :, :3] * share + mean * (1 - share)).round(), dtype=np.uint8)
