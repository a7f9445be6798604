"""Which variants are cached under which keys; another augmentation or mask never passes for this one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_backbone import TOY_SPEC

from nearid_search.errors import UnreadableImageError
from nearid_search.trainer.augment import AugmentConfig, augment
from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.datasets import Sample, View
from nearid_search.trainer.datasets.image_sources import FileImage, ImageSource
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.twins import twins_of
from nearid_search.trainer.variants import Variants, read_mask

PICTURE, DISTRACTOR, MASK = (FileImage(Path(name)) for name in ("picture.png", "distractor.png", "mask.png"))
KEYS: dict[ImageSource, str] = {PICTURE: "p", DISTRACTOR: "d", MASK: "m"}


def variants(mask: FileImage | None = None, keys: dict[ImageSource, str] = KEYS, **settings: float) -> Variants:
    view = View(1, PICTURE, mask, {"other": DISTRACTOR})
    config = AugmentConfig(**{"variants": 2, **settings})  # type: ignore[arg-type]  # variants is a whole number
    return Variants(config, [Sample("thing", None, "train", (view,))], keys)


def test_the_picture_has_its_own_key_and_every_variant_another() -> None:
    names = [*variants().keys("p"), *variants().keys("d")]
    assert (names[0], names[3]) == ("p", "d")
    assert len(set(names)) == 6
    assert [name.split("-")[0] for name in names[1:3]] == ["p/1", "p/2"]
    assert not any(letter.isspace() for name in names for letter in name)


def test_images_that_are_not_learnt_from_have_no_variants() -> None:
    assert variants().keys("of another split") == ["of another split"]
    assert variants(variants=0).keys("p") == ["p"]


@pytest.mark.parametrize("name", ["flip", "jitter", "shift", "scale", "foreground"])
def test_another_augmentation_has_other_keys(name: str) -> None:
    assert not set(variants().keys("p")[1:]) & set(variants(None, KEYS, **{name: 0.3}).keys("p"))


def test_more_variants_keep_the_keys_of_fewer() -> None:
    assert variants(variants=5).keys("p")[:3] == variants().keys("p")


@pytest.mark.parametrize("key", ["p", "d"])
def test_a_mask_counts_only_where_it_is_used(key: str) -> None:
    assert variants(MASK).keys(key) == variants().keys(key)
    masked, unmasked = variants(MASK, foreground=0.5), variants(foreground=0.5)
    assert masked.keys(key)[1:] != unmasked.keys(key)[1:]
    assert masked.keys(key)[1:] != variants(MASK, {**KEYS, MASK: "edited"}, foreground=0.5).keys(key)[1:]


def test_the_mask_of_a_view_is_cut_from_its_distractors_too(tmp_path: Path) -> None:
    """Else a grey background would say which picture is no distractor."""
    mask = FileImage(tmp_path / "mask.png")
    Image.fromarray(np.eye(20, dtype=bool)).save(mask.path)
    pixels = np.full((20, 20, 3), 10, np.uint8)
    still = {"flip": 0.0, "jitter": 0.0, "shift": 0.0, "scale": 0.0, "foreground": 1.0}
    found = variants(mask, {PICTURE: "p", DISTRACTOR: "d", mask: "m"}, **still)
    for key in ("p", "d"):
        assert np.array_equal(next(found.pictures(key, pixels, [1]))[..., 0] == 10, np.eye(20, dtype=bool))


def test_the_mask_is_read_only_when_it_is_used(tmp_path: Path) -> None:
    mask = FileImage(tmp_path / "mask.png")
    keys: dict[ImageSource, str] = {PICTURE: "p", DISTRACTOR: "d", mask: "m"}
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    found = variants(mask, keys, foreground=1.0)
    assert list(variants(mask, keys).pictures("p", pixels, [1]))
    assert np.array_equal(next(found.pictures("p", pixels, [0])), pixels)
    with pytest.raises(UnreadableImageError, match=r"mask\.png: no such file"):
        next(found.pictures("p", pixels, [1]))
    white = np.zeros((10, 15), bool)
    white[2:7, 3:9] = True
    Image.fromarray(white).save(mask.path)
    config = AugmentConfig(variants=2, foreground=1.0)
    large = white.repeat(2, axis=0).repeat(2, axis=1)
    for number, picture in zip((2, 1), found.pictures("p", pixels, [2, 1]), strict=True):
        assert np.array_equal(picture, augment(pixels, large, config=config, key="p", variant=number))


def test_the_lighter_half_of_greys_is_the_thing(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 127], [128, 255]], np.uint8)).save(path)
    assert read_mask(FileImage(path), 2, 2).tolist() == [[False, False], [True, True]]


def test_rows_are_those_that_the_store_has(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", TOY_SPEC)
    found = variants()
    names = ["x", found.keys("d")[2], "d", found.keys("d")[1], "p", found.keys("p")[2]]
    tokens = [np.zeros((len(names), scale.num_tokens, scale.dim), np.float32) for scale in TOY_SPEC.token_scales]
    assert found.rows(store) == {}
    store.append(names, tokens)
    assert {row: rows.tolist() for row, rows in found.rows(store).items()} == {2: [2, 3, 1], 4: [4, 5]}
    assert variants(variants=0).rows(store) == {}


def test_twins_follow_the_variants_and_are_the_same_change_for_every_picture_of_an_identity() -> None:
    found = variants(twins=2)
    names = {key: found.keys(key) for key in ("p", "d")}
    assert [names["p"][:3], names["d"][:3]] == [variants().keys("p"), variants().keys("d")]
    changes = [twin.name for twin in twins_of("thing", 2)]
    assert [names[key][3:] for key in ("p", "d")] == [[f"{key}/{change}" for change in changes] for key in ("p", "d")]
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    made = list(found.pictures("p", pixels, [3, 0, 4]))
    assert np.array_equal(made[1], pixels)
    for twin, picture in zip(twins_of("thing", 2), made[::2], strict=True):
        assert np.array_equal(picture, twin.picture(pixels))


def test_twins_stand_behind_their_identity_with_rows_of_their_own(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", TOY_SPEC)
    found = variants(variants=0, twins=1)
    (twin,) = twins_of("thing", 1)
    names = [f"d/{twin.name}", "p", "d", f"p/{twin.name}"]
    store.append(names, [np.zeros((4, scale.num_tokens, scale.dim), np.float32) for scale in TOY_SPEC.token_scales])
    samples = [SampleRows("thing", (ViewRows(1, {"other": 2}),)), SampleRows("without twin", ())]
    twinned = found.with_twins(samples, store)
    assert twinned[:2] == [samples[0], SampleRows(f"thing {twin.name}", (ViewRows(3, {"other": 0}),))]
    assert variants(variants=0).with_twins(samples, store) == samples
