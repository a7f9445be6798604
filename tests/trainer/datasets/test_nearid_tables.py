"""The published columns: alignment by id, missing views, and rows that cannot be used."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from training_sets import SMALL, write_table, write_tables

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets import Dataset, open_dataset
from nearid_search.trainer.datasets.nearid_tables import read_nearid_tables

LAMP = {"id": "lamp", "split": "train", "images1": b"1", "images2": b"2", "images3": None}
SHOE = {"id": "shoe", "split": "train", "images1": b"3", "images2": None, "images3": b"4"}

KEPT_POOLS: list[pa.MemoryPool] = []
"""Arrow's threads free their last buffers after a read has returned, and crash if the pool of these is gone by then."""


def read(
    root: Path, positives: list[dict[str, Any]], distractors: list[dict[str, Any]] | None = None, kind: str = "parquet"
) -> Dataset:
    (root / "positives").mkdir(parents=True)
    write_table(root / "positives/train", pa.Table.from_pylist(positives), kind)
    if distractors is not None:
        (root / "distractors/flux").mkdir(parents=True)
        write_table(root / "distractors/flux/train", pa.Table.from_pylist(distractors), kind)
    return read_nearid_tables(root)


@pytest.mark.parametrize("prefix", ["nimg", "img"])
def test_both_names_of_the_distractor_columns_are_read(tmp_path: Path, prefix: str) -> None:
    beside: list[dict[str, Any]] = [
        {"id": "lamp", f"{prefix}1": b"d1", f"{prefix}3": None},
        {"id": "shoe", f"{prefix}3": b"d3"},
    ]
    columns = ["id", f"{prefix}1", f"{prefix}3"]
    dataset = read(tmp_path, [LAMP, SHOE], [{name: row.get(name) for name in columns} for row in beside])
    assert dataset.warnings == ()
    found = [
        (sample.identity, view.number, {source: image.read_bytes() for source, image in view.distractors.items()})
        for sample in dataset.samples
        for view in sample.views
    ]
    assert found == [("lamp", 1, {"flux": b"d1"}), ("lamp", 2, {}), ("shoe", 1, {}), ("shoe", 3, {"flux": b"d3"})]


def test_a_shifted_row_is_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError,
        match=r"flux does not have the rows of the positives in their order: "
        r".*flux/train\.parquet row 0 has id 'shoe', .*positives/train\.parquet row 0 has 'lamp'; .*row 1 has",
    ):
        read(tmp_path, [LAMP, SHOE], [{"id": "shoe", "nimg1": b"x"}, {"id": "lamp", "nimg1": b"y"}])


@pytest.mark.parametrize("ids", [["lamp"], ["lamp", "shoe", "cup"]])
def test_tables_of_unequal_length_are_refused(tmp_path: Path, ids: list[str]) -> None:
    with pytest.raises(DatasetError, match=rf"{'positives' if len(ids) == 1 else 'flux'}/train.* has no counterpart"):
        read(tmp_path, [LAMP, SHOE], [{"id": name, "nimg1": b"x"} for name in ids])


def test_many_shifted_rows_are_counted(tmp_path: Path) -> None:
    rows = [{"id": str(number), "split": "train", "images1": b"x"} for number in range(9)]
    with pytest.raises(DatasetError, match=r"row 4 has '4'; and 4 more$"):
        read(tmp_path, rows, [{"id": f"x{number}", "nimg1": b"x"} for number in range(9)])


def test_alignment_goes_over_shards_in_the_order_of_their_names(tmp_path: Path) -> None:
    root = write_tables(tmp_path / "set", SMALL, "parquet", shards=2)
    folder = root / "distractors/flux"
    (folder / "part-00000.parquet").rename(folder / "part-00002.parquet")
    with pytest.raises(DatasetError, match="does not have the rows of the positives"):
        open_dataset(root)


def test_a_distractor_of_a_missing_view_is_left_out_with_a_warning(tmp_path: Path) -> None:
    dataset = read(tmp_path, [LAMP], [{"id": "lamp", "nimg1": b"x", "nimg3": b"y"}])
    assert dataset.num_images == 3
    (warning,) = dataset.warnings
    assert "1 distractors belong to views that are missing" in warning


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_an_image_struct_of_nulls_is_a_missing_view(tmp_path: Path, kind: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "split": "train", "images1": {"bytes": b"1", "path": None}, "images2": None},
        {
            "id": "b",
            "split": "train",
            "images1": {"bytes": b"2", "path": "x"},
            "images2": {"bytes": None, "path": None},
        },
        {"id": "c", "split": "train", "images1": None, "images2": {"bytes": b"3", "path": None}},
    ]
    dataset = read(tmp_path, rows, kind=kind)
    assert [[view.number for view in sample.views] for sample in dataset.samples] == [[1], [1], [2]]
    assert dataset.samples[2].views[0].image.read_bytes() == b"3"


@pytest.mark.parametrize("kind", ["parquet", "stream"])
def test_opening_holds_no_more_than_a_block_of_images(tmp_path: Path, kind: str) -> None:
    image = bytes(range(256)) * 1024
    rows: list[dict[str, Any]] = [
        {"id": str(row), "split": "train", "images1": image, "images2": image} for row in range(40)
    ]
    rows[7]["images2"] = None
    shard = write_table(tmp_path / "table", pa.Table.from_pylist(rows), kind)
    usual, watched = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    KEPT_POOLS.append(watched)
    pa.set_memory_pool(watched)
    try:
        dataset = read_nearid_tables(shard)
    finally:
        pa.set_memory_pool(usual)
    assert dataset.num_images == 79
    assert watched.max_memory() < 8 * len(image)


def test_categories_masks_and_other_columns(tmp_path: Path) -> None:
    row = {**LAMP, "category": "lighting", "masks2": b"m", "prompts1": "a lamp", "n_images": 2, "quality": 0.9}
    (sample,) = read(tmp_path, [row]).samples
    assert sample.category == "lighting"
    assert [view.mask and view.mask.read_bytes() for view in sample.views] == [None, b"m"]


def test_one_table_alone_is_a_dataset_without_distractors(tmp_path: Path) -> None:
    for kind in ("parquet", "stream"):
        dataset = open_dataset(write_table(tmp_path / kind, pa.Table.from_pylist([LAMP, SHOE]), kind))
        assert (dataset.num_images, dataset.sources) == (4, ())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([LAMP, {**SHOE, "id": None}], r"train\.parquet row 1: no id"),
        ([LAMP, {**SHOE, "split": None}], r"row 1: split '': expected train, val or test"),
        ([LAMP, {**SHOE, "images1": None, "images3": None}], r"row 1: no image in any view \(images must be embedded"),
        ([LAMP, SHOE, LAMP], r"row 0 and .*row 2 have the same id 'lamp'"),
        ([{"id": "lamp", "images1": b"1"}], r"has no column split: it has id, images1"),
        ([{"id": "lamp", "split": "train"}], r"has no column images1 or masks1"),
        (
            [{**LAMP, "images2": "a path"}],
            r"column images2 is of type string: expected images as binary or as a struct",
        ),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, rows)


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_an_id_that_is_no_text_is_refused(tmp_path: Path, kind: str) -> None:
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe"))
    table = pa.table({"id": bad, "split": ["train"], "images1": [b"x"]})
    with pytest.raises(DatasetError, match=r"cannot be read as a table: .*UTF8"):
        read_nearid_tables(write_table(tmp_path / "table", table, kind))


def test_distractors_without_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"flux/train\.parquet has no column id"):
        read(tmp_path, [LAMP], [{"nimg1": b"x"}])


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    read(tmp_path, [LAMP])
    (tmp_path / "distractors/sdxl").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"sdxl holds no table: expected files ending in \.arrow or \.parquet"):
        open_dataset(tmp_path)
