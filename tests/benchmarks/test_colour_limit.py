"""Colours win where they differ, and only recolours are asked about."""

from pathlib import Path

import numpy as np
from colour_limit import measure
from PIL import Image

from nearid_search.encoder import IdentityEncoder
from nearid_search.trainer.datasets import open_dataset


def test_colours_tell_a_red_thing_from_a_green_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for identity, view in ((identity, view) for identity in ("cup", "vase") for view in "12"):
        folder = tmp_path / "test" / identity / view
        folder.mkdir(parents=True)
        mask = np.zeros((64, 64), np.uint8)
        mask[16:48, 16:48] = 255
        Image.fromarray(mask).save(folder / "mask.png")
        for name, colour in (("positive", (200, 40, 40)), ("distractor-recolour", (40, 160, 40))):
            pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            pixels[mask > 0] = np.array(colour) + rng.integers(-20, 20)
            Image.fromarray(pixels).save(folder / f"{name}.png")
    won = measure(open_dataset(tmp_path).split("test"), IdentityEncoder.open(device="cpu"))
    assert won["colours"]["value"] == 1
    assert won["colours"]["n"] == 4
    assert won["at least one"]["value"] == 1
