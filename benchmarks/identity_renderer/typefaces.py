"""The typefaces that print is set in, each from a package of its own, so that a machine's fonts change nothing."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

BUILT_IN = "aileron"
"""Comes with Pillow; the only one that needs no other package."""

FILES = {
    "amatic": "font_amatic_sc/AmaticSC-Bold.ttf",
    "caladea": "font_caladea/Caladea-Bold.ttf",
    "caladea-italic": "font_caladea/Caladea-BoldItalic.ttf",
    "fredoka": "font_fredoka_one/FredokaOne-Regular.ttf",
    "hanken": "font_hanken_grotesk/HankenGrotesk-SemiBold.otf",
    "intuitive": "font_intuitive/Intuitive.ttf",
    "manrope": "font_manrope/Manrope-ExtraBold.ttf",
    "manrope-light": "font_manrope/Manrope-Light.ttf",
    "roboto": "font_roboto/Roboto-Black.ttf",
    "roboto-italic": "font_roboto/Roboto-BlackItalic.ttf",
    "source-serif": "font_source_serif_pro/SourceSerifPro-Black.ttf",
    "source-serif-italic": "font_source_serif_pro/SourceSerifPro-BoldIt.ttf",
}
"""Name of a typeface, and its file as package/file; all under the SIL Open Font or the Apache licence."""

ALL = (BUILT_IN, *FILES)

Font = ImageFont.FreeTypeFont


class MissingTypefaceError(LookupError):
    """A typeface's package is not installed, or there is no such typeface."""


def _font_file(name: str) -> Path:
    if name not in FILES:
        raise MissingTypefaceError(f"there is no typeface {name!r}; expected one of {', '.join(ALL)}")
    module, file = FILES[name].split("/")
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingTypefaceError(
            f"typeface {name!r} is in the package {module.replace('_', '-')}, which is not installed: "
            "install benchmarks/identity_renderer/requirements.txt, or pass other typefaces to list_packages"
        )
    return Path(spec.submodule_search_locations[0]) / "files" / file


@lru_cache(maxsize=512)
def load_font(name: str, size: int) -> Font:
    """Return a typeface at a size in pixels.

    Raises:
        MissingTypefaceError: its package is not installed, or no typeface has that name.
    """
    if name == BUILT_IN:
        font = ImageFont.load_default(size)
        if not isinstance(font, Font):
            raise MissingTypefaceError("this Pillow was built without FreeType: install Pillow's own wheel")
        return font
    return ImageFont.truetype(_font_file(name), size)
