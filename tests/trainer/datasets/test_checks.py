"""What a dataset is refused for, what is only warned of, and what its hash depends on."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from training_sets import SMALL, Drawn, two_views, write_folder

from nearid_search.errors import DatasetError, UnreadableImageError
from nearid_search.trainer.datasets import check_dataset, data_hash, hash_images, open_dataset, require_pairs
from nearid_search.trainer.datasets.records import Dataset

PAIR = [*two_views("train", "a", 0), *two_views("train", "b", 100)]


def dataset_of(tmp_path: Path, images: list[Drawn]) -> Dataset:
    return open_dataset(write_folder(tmp_path / "set", images))


def test_a_sound_dataset_has_no_warnings(tmp_path: Path) -> None:
    assert check_dataset(dataset_of(tmp_path, PAIR)) == []


def test_without_distractors_it_says_what_is_lost(tmp_path: Path) -> None:
    (warning,) = check_dataset(dataset_of(tmp_path, [image for image in PAIR if image.role == "positive"]))
    assert "no distractors" in warning
    assert "61" in warning
    assert "99" in warning


def test_identities_with_one_view_are_named_and_counted(tmp_path: Path) -> None:
    lone = [Drawn("train", f"lone{number}", 1, "positive", "", 1000 + number) for number in range(7)]
    (warning,) = check_dataset(dataset_of(tmp_path, PAIR + lone))
    assert warning.startswith("7 identities have a single view")
    assert warning.endswith("train lone4; and 2 more")


def test_warnings_of_the_reader_come_first(tmp_path: Path) -> None:
    write_folder(tmp_path / "set", PAIR)
    (tmp_path / "set/notes.txt").write_text("hello")
    (warning,) = check_dataset(open_dataset(tmp_path / "set"))
    assert "notes.txt" in warning


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (two_views("val", "a", 0), "has no train split: there is nothing to learn from"),
        (two_views("train", "a", 0), "has one identity in train: telling identities apart takes two or more"),
    ],
)
def test_too_little_to_learn_from_is_refused(tmp_path: Path, images: list[Drawn], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        check_dataset(dataset_of(tmp_path, images))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([*two_views("train", "a", 0), *two_views("val", "c", 500)], "1 identities of train .* at least 2 needed"),
        (PAIR, "0 identities of val have two views or more, at least 1 needed"),
        ([*PAIR, Drawn("val", "c", 1, "positive", "", 500)], "0 identities of val"),
    ],
    ids=["train", "no val", "one view in val"],
)
def test_too_few_second_views_are_refused(tmp_path: Path, images: list[Drawn], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        require_pairs(dataset_of(tmp_path, images))
    require_pairs(dataset_of(tmp_path / "enough", [*PAIR, *two_views("val", "c", 500)]))


def test_an_empty_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        check_dataset(open_dataset(tmp_path))


@pytest.mark.parametrize("role", ["positive", "distractor"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_one_image_in_two_splits_is_refused_with_both_paths(tmp_path: Path, role: str, split: str) -> None:
    other = two_views(split, "c", 500)
    number = next(number for number, image in enumerate(other) if image.role == role)
    other[number] = other[number]._replace(seed=PAIR[0].seed)
    with pytest.raises(DatasetError) as caught:
        check_dataset(dataset_of(tmp_path, PAIR + other))
    assert "1 images are in two splits" in str(caught.value)
    assert "train/a/1/positive.png (train) and " in str(caught.value)
    assert f"{split}/c/1/{role}" in str(caught.value)


def test_leaks_are_counted(tmp_path: Path) -> None:
    copies = [image._replace(split="val", identity=f"copy of {image.identity}") for image in PAIR]
    with pytest.raises(DatasetError, match=rf"{len(PAIR)} images are in two splits.*; and {len(PAIR) - 5} more$"):
        check_dataset(dataset_of(tmp_path, PAIR + copies))


def test_masks_may_repeat(tmp_path: Path) -> None:
    other = two_views("val", "c", 500)
    masks = [Drawn(split, name, 1, "mask", "", 9999) for split, name in [("train", "a"), ("train", "b"), ("val", "c")]]
    assert check_dataset(dataset_of(tmp_path, PAIR + other + masks)) == []


def test_every_image_is_hashed_once_and_told_of(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, SMALL)
    steps: list[tuple[int, int]] = []
    hashes = hash_images(dataset, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(done, len(SMALL)) for done in range(1, len(SMALL) + 1)]
    assert hashes == {
        placed.image: hashlib.sha256(placed.image.read_bytes()).hexdigest() for placed in dataset.images()
    }


def test_given_hashes_are_used_and_nothing_is_read_again(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, PAIR)
    hashes = hash_images(dataset)
    expected = data_hash(dataset)
    for placed in dataset.images():
        Path(placed.image.name).unlink()
    assert check_dataset(dataset, hashes) == []
    assert data_hash(dataset, hashes) == expected
    with pytest.raises(UnreadableImageError, match="no such file"):
        check_dataset(dataset)


@pytest.mark.parametrize(
    "change",
    [{"split": "val"}, {"identity": "c"}, {"view": 3}, {"role": "mask"}, {"source": "other"}, {"seed": 12345}],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_depends_on_every_part_of_a_place(tmp_path: Path, change: dict[str, Any]) -> None:
    positive = Drawn("train", "x", 1, "positive", "", 1)
    images = [positive, positive._replace(split="val"), positive._replace(identity="c"), positive._replace(view=3)]
    moved = Drawn("train", "x", 1, "distractor", "flux", 77)
    after = moved._replace(**change)
    if after.role == "mask":
        after = after._replace(source="")
    before_hash = data_hash(open_dataset(write_folder(tmp_path / "before", [*images, moved])))
    assert before_hash != data_hash(open_dataset(write_folder(tmp_path / "after", [*images, after])))
