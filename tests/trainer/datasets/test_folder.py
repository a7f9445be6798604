"""The folder layout, and what does not fit it."""

import os
from pathlib import Path

import pytest
from training_sets import SMALL, write_folder

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.folder import read_folder


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return root


def test_any_image_suffix_will_do(tmp_path: Path) -> None:
    root = write(tmp_path, "train/lamp/1/positive.JPG", "train/lamp/1/mask.webp", "train/lamp/1/distractor-a-b.heic")
    (view,) = read_folder(root).samples[0].views
    assert view.image.read_bytes() == b"train/lamp/1/positive.JPG"
    assert view.mask is not None
    assert view.mask.name == f"{root}/train/lamp/1/mask.webp"
    assert list(view.distractors) == ["a-b"]


def test_named_views_are_numbered_in_natural_order(tmp_path: Path) -> None:
    root = write(tmp_path, *(f"train/lamp/side{number}/positive.jpg" for number in (10, 9)))
    views = read_folder(root).samples[0].views
    assert [(view.number, view.image.read_bytes()) for view in views] == [
        (1, b"train/lamp/side9/positive.jpg"),
        (2, b"train/lamp/side10/positive.jpg"),
    ]


@pytest.mark.parametrize(
    "stray",
    [
        "readme.txt",
        "extra/lamp/1/positive.jpg",
        "train/readme.txt",
        "train/lamp/front.jpg",
        "train/lamp/1/notes.txt",
        "train/lamp/1/negative.jpg",
        "train/lamp/1/distractor.jpg",
        "train/lamp/1/distractor-.jpg",
        "train/lamp/1/positive.gltf",
        "train/lamp/1/more/positive.jpg",
    ],
)
def test_what_does_not_fit_is_named_and_left_out(tmp_path: Path, stray: str) -> None:
    write_folder(tmp_path, SMALL)
    expected = read_folder(tmp_path).samples
    dataset = read_folder(write(tmp_path, stray))
    assert dataset.samples == expected
    (warning,) = dataset.warnings
    named = warning.rpartition(": ")[2]
    assert warning.startswith("1 entries are no part of the layout")
    assert f"{tmp_path}/{stray}".startswith(named)
    assert named.rstrip("/") != str(tmp_path)


def test_hidden_files_are_passed_over_and_empty_views_named(tmp_path: Path) -> None:
    write(tmp_path, "train/lamp/1/positive.jpg", "train/lamp/1/._positive.jpg", ".cache/x", "train/lamp/.DS_Store")
    assert read_folder(tmp_path).warnings == ()
    (tmp_path / "train/lamp/2").mkdir()
    assert "train/lamp/2/" in read_folder(tmp_path).warnings[0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["1/positive.jpg", "1/positive.png"],
            r"1/positive\.jpg and .*positive\.png are the same positive of one view",
        ),
        (
            ["1/positive.jpg", "1/distractor-x.jpg", "1/distractor-x.png"],
            r"distractor-x\.png are the same distractor of one view: keep one",
        ),
        (["1/positive.jpg", "1/mask.png", "1/mask.webp"], "the same mask of one view"),
        (["1/mask.png"], "train lamp view 1 has no positive"),
        (["1/distractor-x.png"], "train lamp view 1 has no positive"),
        (["1/positive.jpg", "01/positive.jpg"], "train lamp: two of the views 01, 1 have the same number"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_folder(write(tmp_path, *(f"train/lamp/{name}" for name in names)))


def test_many_problems_are_counted(tmp_path: Path) -> None:
    write(tmp_path, *(f"train/lamp/{view}/mask.png" for view in range(1, 9)))
    with pytest.raises(DatasetError, match=r"view 5 has no positive; and 3 more$"):
        read_folder(tmp_path)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "train/lamp/1/positive.jpg", "train/l\udcffmp/1/positive.jpg")
    with pytest.raises(DatasetError, match="train holds a name that is not valid UTF-8"):
        read_folder(tmp_path)
