"""All forms of a dataset on disk give the same dataset: the contract of the readers."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from training_sets import SMALL, Drawn, picture, write_folder, write_manifest, write_tables

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets import Dataset, check_dataset, data_hash, open_dataset

Write = Callable[[Path, list[Drawn]], Path]

FORMS: dict[str, Write] = {
    "folder": write_folder,
    "manifest.csv": lambda root, images: write_manifest(root, images, ".csv"),
    "manifest.parquet": lambda root, images: write_manifest(root, images, ".parquet"),
    "tables.parquet": lambda root, images: write_tables(root, images, "parquet"),
    "tables in one shard": lambda root, images: write_tables(root, images, "parquet", shards=1),
    "tables.arrow, IPC file": lambda root, images: write_tables(root, images, "file"),
    "tables.arrow, IPC stream": lambda root, images: write_tables(root, images, "stream"),
    "tables.arrow, compressed stream": lambda root, images: write_tables(root, images, "stream-zstd", shards=1),
}


@pytest.fixture(params=FORMS)
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    return open_dataset(FORMS[request.param](tmp_path / "set", SMALL))


def content(dataset: Dataset) -> set[tuple[Any, ...]]:
    return {(*placed[:-1], placed.image.read_bytes()) for placed in dataset.images()}


def test_every_image_is_at_its_place(dataset: Dataset) -> None:
    assert content(dataset) == {(*image[:-1], picture(image.seed)) for image in SMALL}
    assert len(list(dataset.images())) == len(SMALL)
    assert dataset.warnings == ()


def test_samples_are_sorted_and_views_keep_their_numbers(dataset: Dataset) -> None:
    names = [(sample.split, sample.identity) for sample in dataset.samples]
    assert names == [("train", "007"), ("train", "lamp"), ("train", "shoe"), ("val", "cup"), ("test", "vase")]
    assert [view.number for view in dataset.samples[2].views] == [1, 3]
    assert all(sample.category is None for sample in dataset.samples)
    assert [sample.identity for sample in dataset.split("train")] == ["007", "lamp", "shoe"]


def test_counts_and_sources(dataset: Dataset) -> None:
    assert dataset.sources == ("flux", "sdxl")
    assert dataset.num_images == len(SMALL) - 1  # one is a mask
    with pytest.raises(DatasetError, match="split 'dev': expected train, val or test"):
        dataset.split("dev")


def test_the_data_hash_is_that_of_the_content(dataset: Dataset, tmp_path: Path) -> None:
    assert data_hash(dataset) == data_hash(open_dataset(write_folder(tmp_path / "other", SMALL[::-1])))
    changed = [SMALL[0]._replace(seed=999), *SMALL[1:]]
    assert data_hash(dataset) != data_hash(open_dataset(write_folder(tmp_path / "changed", changed)))


def test_it_passes_the_checks(dataset: Dataset) -> None:
    assert check_dataset(dataset) == [
        "1 identities have a single view, which has no positive to be drawn to: test vase"
    ]


def test_images_can_be_sent_to_another_process(dataset: Dataset) -> None:
    for placed in dataset.images():
        assert pickle.loads(pickle.dumps(placed)) == placed  # noqa: S301 - our own bytes


@pytest.mark.parametrize("form", FORMS)
def test_a_leaked_image_is_refused_in_every_form(form: str, tmp_path: Path) -> None:
    leaking = [*SMALL, Drawn("test", "bowl", 1, "positive", "", SMALL[0].seed)]
    with pytest.raises(DatasetError, match=r"1 images are in two splits.*\(train\) and .* \(test\)"):
        check_dataset(open_dataset(FORMS[form](tmp_path / "set", leaking)))


@pytest.mark.parametrize("form", FORMS)
def test_an_identity_in_two_splits_is_refused_in_every_form(form: str, tmp_path: Path) -> None:
    leaking = [*SMALL, Drawn("test", "lamp", 1, "positive", "", 999)]
    with pytest.raises(DatasetError, match=r"1 identities are in two splits.*lamp: .*\(train\) and .* \(test\)"):
        check_dataset(open_dataset(FORMS[form](tmp_path / "set", leaking)))


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chair").mkdir()
    with pytest.raises(DatasetError, match=r"is no dataset: expected a folder with train/.*manifest.*positives"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"nothing does not exist: expected"):
        open_dataset(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("no table")
    with pytest.raises(DatasetError, match=r"notes\.txt is no dataset"):
        open_dataset(tmp_path / "notes.txt")


def test_a_folder_is_opened_by_its_manifest(tmp_path: Path) -> None:
    write_folder(tmp_path, SMALL)
    (tmp_path / "manifest.csv").write_text(
        f"path,identity,view,role,source,split\n{file_name_of_lamp()},lamp,1,positive,,val\n"
    )
    assert [sample.split for sample in open_dataset(tmp_path).samples] == ["val"]


def file_name_of_lamp() -> str:
    return "train/lamp/1/positive.png"


def test_two_forms_in_one_folder_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, SMALL)
    write_tables(tmp_path, SMALL, "parquet")
    with pytest.raises(DatasetError, match=r"more than one form \(positives, train\)"):
        open_dataset(tmp_path)
