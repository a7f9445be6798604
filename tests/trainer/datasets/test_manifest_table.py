"""Manifests: what they accept, and that every refusal names the row."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.manifest_table import MANIFEST_COLUMNS, read_manifest
from nearid_search.trainer.datasets.records import Dataset

HEADER = ",".join(MANIFEST_COLUMNS) + "\n"
GOOD = "a.jpg,lamp,1,positive,,train\n"


def read(tmp_path: Path, text: str | bytes) -> Dataset:
    for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    path = tmp_path / "manifest.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_manifest(path)


@pytest.mark.parametrize("path", ["sub/c.jpg", "./sub/c.jpg", "sub\\c.jpg", "sub//c.jpg"])
def test_paths_are_relative_to_the_table(tmp_path: Path, path: str) -> None:
    dataset = read(tmp_path, f"{HEADER}{path},lamp,1,positive,,train\n")
    assert dataset.samples[0].views[0].image.read_bytes() == b"sub/c.jpg"


def test_text_stays_text_and_further_columns_are_passed_over(tmp_path: Path) -> None:
    header = "colour,split,path,identity,view,role,source\n"
    dataset = read(tmp_path, b"\xef\xbb\xbf" + (header + "red,validation,a.jpg,007,front,positive,\n").encode())
    (sample,) = dataset.samples
    assert (sample.identity, sample.split, sample.views[0].number) == ("007", "val", 1)


@pytest.mark.parametrize(("first", "second"), [("lamp", "lamp"), ("lamp", ""), (" ", "lamp ")])
def test_a_category_is_that_of_the_positives_that_have_one(tmp_path: Path, first: str, second: str) -> None:
    rows = f"a.jpg,x,1,positive,,train,{first}\nb.jpg,x,2,positive,,train,{second}\n"
    rows += "sub/c.jpg,x,2,distractor,swap,train,vase\n"
    assert read(tmp_path, HEADER.strip() + ",category\n" + rows).samples[0].category == "lamp"


def test_a_category_of_digits_is_no_number_of_the_view(tmp_path: Path) -> None:
    row = {"path": "a.jpg", "identity": "x", "view": "1", "role": "positive", "source": None, "split": "train"}
    (tmp_path / "a.jpg").write_bytes(b"a")
    parquet.write_table(pa.Table.from_pylist([{**row, "category": 12, "yaw": 3.5}]), tmp_path / "manifest.parquet")
    (sample,) = read_manifest(tmp_path / "manifest.parquet").samples
    assert sample.category == "12"
    assert dict(sample.views[0].attributes) == {"yaw": 3.5}


def test_two_categories_of_one_identity_are_refused(tmp_path: Path) -> None:
    rows = "a.jpg,x,1,positive,,train,lamp\nb.jpg,x,2,positive,,train,vase\n"
    with pytest.raises(DatasetError, match="train x has the categories lamp and vase: give it one"):
        read(tmp_path, HEADER.strip() + ",category\n" + rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("../a.jpg,lamp,1,positive,,train", r"line 3: path '\.\./a\.jpg' leaves the table's folder"),
        ("sub/../a.jpg,lamp,1,positive,,train", "line 3: path .* leaves the table's folder"),
        ("..\\a.jpg,lamp,1,positive,,train", "line 3: path .* leaves the table's folder"),
        ("/etc/passwd,lamp,1,positive,,train", "line 3: path '/etc/passwd' leaves the table's folder"),
        ("C:\\a.jpg,lamp,1,positive,,train", "line 3: path .* leaves the table's folder"),
        ("z.jpg,lamp,1,positive,,train", r"line 3: z\.jpg is not there"),
        ("sub,lamp,1,positive,,train", "line 3: sub is not there"),
        (",lamp,1,positive,,", "line 3: path and split empty"),
        ("b.jpg,lamp,1,anchor,,train", "line 3: role 'anchor': expected positive, distractor or mask"),
        ("b.jpg,lamp,1,distractor,,train", "line 3: a distractor with source ''"),
        ("b.jpg,lamp,1,mask,flux,train", "line 3: a mask with source 'flux'"),
        ("b.jpg,lamp,1,positive,,dev", "line 3: split 'dev': expected train, val or test"),
        ("b.jpg,lamp,1,positive,,train", "line 2 and line 3 are the same positive of one view"),
        ("b.jpg,lamp,2,mask,,train", "train lamp view 2 has no positive"),
        ("b.jpg,lamp,1", "line 3: expected 6 cells"),
        ("b.jpg,lamp,2,positive,,train,red", "line 3: expected 6 cells"),
        ('b.jpg,lamp,2,positive,"",train\n"b.jpg', "unexpected end of data"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, HEADER + GOOD + row + "\n")


def test_lines_are_counted_over_line_breaks_in_cells(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="line 4: split 'dev'"):
        read(tmp_path, HEADER + '"a.jpg","la\nmp",1,positive,,train\nb.jpg,x,1,positive,,dev\n')


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no column view or source: a manifest needs .*, and this has path, ident"):
        read(tmp_path, "path,identity,role,split\na.jpg,lamp,positive,train\n")
    with pytest.raises(DatasetError, match="this has no columns"):
        read(tmp_path, "")


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read(tmp_path, HEADER.encode() + b"\xff\xfe\n")
    with pytest.raises(DatasetError, match=r"cannot be read: .*No such file"):
        read_manifest(tmp_path / "nothing.csv")


def test_parquet_rows_are_named_from_zero(tmp_path: Path) -> None:
    row = {"path": "a.jpg", "identity": 7, "view": 1, "role": "positive", "source": None, "split": "train"}
    (tmp_path / "a.jpg").write_bytes(b"a")
    table = tmp_path / "manifest.parquet"
    parquet.write_table(pa.Table.from_pylist([row]), table)
    assert read_manifest(table).samples[0].identity == "7"
    parquet.write_table(pa.Table.from_pylist([row, {**row, "role": "other"}]), table)
    with pytest.raises(DatasetError, match=r"row 1: role 'other'"):
        read_manifest(table)


def test_columns_of_numbers_describe_the_view_of_their_positive(tmp_path: Path) -> None:
    header = HEADER.strip() + ",yaw,sku,note\n"
    rows = (
        "a.jpg,lamp,1,positive,,train,-30.5,7,\n"
        "b.jpg,lamp,2,positive,,train,,A4,\n"
        "sub/c.jpg,lamp,1,distractor,flux,train,99,7,no number\n"
    )
    views = read(tmp_path, header + rows).samples[0].views
    assert [dict(view.attributes) for view in views] == [{"yaw": -30.5}, {}]


@pytest.mark.parametrize("cell", ["nan", "inf", "12 degrees"])
def test_a_column_with_a_cell_that_is_no_number_is_passed_over(tmp_path: Path, cell: str) -> None:
    rows = f"a.jpg,lamp,1,positive,,train,1\nb.jpg,lamp,2,positive,,train,{cell}\n"
    assert [view.attributes for view in read(tmp_path, HEADER.strip() + ",yaw\n" + rows).samples[0].views] == [{}, {}]


def test_columns_of_numbers_are_read_from_parquet_too(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    cells = zip(MANIFEST_COLUMNS, GOOD.strip().split(","), strict=True)
    columns = {name: [cell] for name, cell in cells} | {"yaw": [15], "light": [0.5], "tilt": [float("nan")]}
    parquet.write_table(pa.table(columns), tmp_path / "manifest.parquet")
    view = read_manifest(tmp_path / "manifest.parquet").samples[0].views[0]
    assert view.attributes == {"yaw": 15, "light": 0.5}
