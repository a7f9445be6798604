"""The darkroom: put a rendered foreground on its photograph and save the JPEG."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from catalog_renderer.scenes import Scene

LANDSCAPE, PORTRAIT = (560, 448), (448, 560)
QUALITY = 85
# Photographs of packages are large and trusted; Pillow's guard against bombs is not needed for them.
Image.MAX_IMAGE_PIXELS = None


def backdrop(scene: Scene, photo: Path, size: tuple[int, int]) -> Image.Image:
    """Crop a scene's photograph to a frame.

    Args:
        scene: Which part, and how far out of focus.
        photo: The photograph's file.
        size: Frame width and height in pixels.

    Returns:
        RGB picture of that size.
    """
    image = Image.open(photo).convert("RGB")
    centre, top, bottom = scene.crop
    height = (bottom - top) * image.height
    width = min(height * size[0] / size[1], image.width)
    height = width * size[1] / size[0]
    left = min(max(centre * image.width - width / 2, 0), image.width - width)
    box = (left, bottom * image.height - height, left + width, bottom * image.height)
    cropped = image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    return cropped.filter(ImageFilter.GaussianBlur(scene.blur))


def surroundings(background: Image.Image, level: float, path: Path) -> tuple[Path, float]:
    """Make the panorama that lights an object: the photograph, softened and half drained of its colour.

    Args:
        background: RGB picture.
        level: Mean linear level to reach.
        path: PNG to write.

    Returns:
        The path, and the strength that brings the panorama to that level.
    """
    soft = background.filter(ImageFilter.GaussianBlur(4))
    panorama = Image.blend(soft, soft.convert("L").convert("RGB"), 0.5)
    panorama.save(path)
    linear = (np.asarray(panorama, dtype=np.float64) / 255) ** 2.2
    return path, level / float(linear.mean())


def develop(foreground: Path, background: Image.Image, path: Path, seed: int) -> None:
    """Composite, add the grain of one camera over both, and save.

    Args:
        foreground: RGBA PNG of the same size as `background`.
        background: RGB picture.
        path: JPEG to write; appears complete or not at all.
        seed: Seed of the grain.
    """
    with Image.open(foreground) as rendered:
        picture = Image.alpha_composite(background.convert("RGBA"), rendered.convert("RGBA")).convert("RGB")
    grain = np.random.default_rng(seed).normal(0.0, 1.6, (picture.height, picture.width, 1))
    noisy = np.clip(np.asarray(picture, dtype=np.float64) + grain, 0, 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)
