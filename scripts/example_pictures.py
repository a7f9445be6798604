"""Draw the pictures of docs/examples from the sample catalogue.

python scripts/example_pictures.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

ROOT = Path(__file__).parents[1]
SIDE, LINE, GAP = 190, 22, 10

STRIPS = {
    "track-assets": [
        ("catalog/chair-red-seat/4", "08:00  dock\nchair-red-seat"),
        ("queries/new-view", "09:00  bay-1\nmoved from dock"),
        ("catalog/table-lamp-wood/4", "08:05  bay-1\ntable-lamp-wood"),
        ("queries/look-alike", "08:45  bay-2\nmoved from bay-1"),
        ("catalog/desk-lamp-green/4", "08:20  dock\ndesk-lamp-green"),
        ("queries/stranger", "08:30  dock\nunknown: a stranger"),
    ],
    "reconcile": [
        ("catalog/table-lamp-wood/4", "08:05  table-lamp-wood\nin bay-1, as expected"),
        ("queries/look-alike", "08:45  table-lamp-wood\nin bay-2: misplaced"),
        ("catalog/kettle-red/4", "08:15  kettle-red\nin bay-2: unexpected"),
    ],
    "find-counterfeits": [
        ("catalog/table-lamp-green/1", "table-lamp-green"),
        ("queries/look-alike", "offered as it: .810\nis table-lamp-wood"),
        ("catalog/crate-braced/3", "crate-braced"),
        ("catalog/crate-flat/4", "offered as it: .718\nis crate-flat"),
        ("catalog/kettle-green/1", "kettle-green"),
        ("catalog/kettle-red/4", "offered as it: .438\nis kettle-red"),
    ],
    "score-generations": [
        ("catalog/kettle-green/1", "reference"),
        ("catalog/kettle-green/4", "kept: .986"),
        ("catalog/kettle-red/4", "lost: .421"),
        ("catalog/table-lamp-green/1", "reference"),
        ("catalog/table-lamp-green/4", "kept: .960"),
        ("queries/look-alike", "lost: .769"),
    ],
}


def draw_strip(pictures: list[tuple[str, str]]) -> Image.Image:
    """Return pictures of examples/ side by side, each above its words."""
    font = ImageFont.load_default(size=16)
    strip = Image.new("RGB", (len(pictures) * (SIDE + GAP) - GAP, SIDE + 2 * LINE + GAP), "white")
    draw = ImageDraw.Draw(strip)
    for place, (name, words) in enumerate(pictures):
        left = place * (SIDE + GAP)
        with Image.open(ROOT / "examples" / f"{name}.jpg") as picture:
            strip.paste(ImageOps.pad(picture, (SIDE, SIDE), color="white"), (left, 0))
        draw.multiline_text((left + 2, SIDE + 4), words, fill="black", font=font)
    return strip


if __name__ == "__main__":
    for name, pictures in STRIPS.items():
        draw_strip(pictures).save(ROOT / "docs/pictures" / f"{name}.jpg", quality=85, optimize=True)
