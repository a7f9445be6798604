"""A rendered set becomes a gallery in which no distractor passes for the thing beside it."""

from pathlib import Path

from catalogues import draw
from embed_pictures import named_pictures

from nearid_search.trainer.datasets.open import open_dataset


def test_every_distractor_is_an_identity_of_its_own(tmp_path: Path) -> None:
    names = ["cup/1/positive", "cup/1/distractor-part", "cup/2/positive", "cup/2/distractor-part", "jug/1/positive"]
    for number, name in enumerate(names):
        draw(tmp_path / "test" / f"{name}.png", number)
    draw(tmp_path / "test" / "cup" / "1" / "mask.png", 9)
    draw(tmp_path / "train" / "pan" / "1" / "positive.png", 9)
    dataset = open_dataset(tmp_path)
    found = [(identity, Path(image.name).stem) for identity, image in named_pictures(dataset, "test")]
    assert found == [
        ("cup", "positive"), ("cup/1/part", "distractor-part"), ("cup", "positive"), ("cup/2/part", "distractor-part"),
        ("jug", "positive"),
    ]  # fmt: skip
    assert len(list(named_pictures(dataset, "test", 1))) == 4
