"""Cells of tables: which are filled, what they hold, and files that broke."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_sets import write_table

from nearid_search.errors import DatasetError, UnreadableImageError
from nearid_search.trainer.datasets import table_cells
from nearid_search.trainer.datasets.image_sources import CellImage
from nearid_search.trainer.datasets.table_cells import image_presence, iter_blocks, read_cell, read_schema

KINDS = ["parquet", "file", "stream", "stream-zstd"]
STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})
CELLS: st.SearchStrategy[dict[str, Any] | None] = st.one_of(
    st.none(),
    st.builds(
        dict,
        bytes=st.one_of(st.none(), st.binary(min_size=1, max_size=4)),
        path=st.one_of(st.none(), st.text(max_size=3)),
    ),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELLS, max_size=7))
def test_presence_and_bytes_agree_with_what_was_written(tmp_path: Path, kind: str, cells: list[Any]) -> None:
    path = write_table(
        tmp_path / "table", pa.table({"other": [1] * len(cells), "image": pa.array(cells, STRUCT)}), kind
    )
    expected = [cell["bytes"] if cell else None for cell in cells]
    assert image_presence(path, "image") == [data is not None for data in expected]
    for row, data in enumerate(expected):
        if data is not None:
            assert CellImage(path, "image", row, row // 2, row % 2).read_bytes() == data


@pytest.mark.parametrize("kind", KINDS)
def test_a_rewritten_table_is_read_anew(tmp_path: Path, kind: str) -> None:
    for data in (b"first", b"second, longer"):
        path = write_table(tmp_path / "table", pa.table({"image": [data]}), kind)
        assert read_cell(path, 0, "image", 0, name="cell") == data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("block", "column", "offset"), [(0, "image", 2), (9, "image", 0), (0, "gone", 0)])
def test_a_cell_that_is_gone_is_an_unreadable_image(
    tmp_path: Path, kind: str, block: int, column: str, offset: int
) -> None:
    path = write_table(tmp_path / "table", pa.table({"image": [b"x", b"y", b"z"]}), kind)
    with pytest.raises(UnreadableImageError, match=r"^some cell: "):
        read_cell(path, block, column, offset, name="some cell")


def test_an_empty_or_missing_cell_is_an_unreadable_image(tmp_path: Path) -> None:
    path = write_table(tmp_path / "table", pa.table({"image": [b"", None]}), "parquet")
    for row in (0, 1):
        with pytest.raises(UnreadableImageError, match=rf"row {row} column image: no image bytes in this cell"):
            CellImage(path, "image", row, 0, row).read_bytes()
    path.unlink()
    with pytest.raises(UnreadableImageError, match="no such file"):
        CellImage(path, "image", 0, 0, 0).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0, 3, 0.3, 0.7])
def test_a_cut_table_is_refused(tmp_path: Path, kind: str, keep: float) -> None:
    path = write_table(tmp_path / "table", pa.table({"image": [b"x" * 5000, b"y" * 5000, b"z" * 5000]}), kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep if keep >= 1 else keep * len(whole))])
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        image_presence(path, "image")


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        read_schema(tmp_path / "nothing.parquet")


def test_few_columns_are_kept_and_answers_stay_right(tmp_path: Path) -> None:
    path = write_table(tmp_path / "table", pa.table({"image": [bytes([row]) * 1000 for row in range(40)]}), "parquet")
    cache = table_cells._ColumnCache(max_bytes=5000)
    status = path.stat()
    for block in [*range(20), *reversed(range(20))]:
        column = cache.column((path, status.st_mtime_ns, status.st_size, block, "image"))
        assert column.to_pylist() == [bytes([row]) * 1000 for row in (2 * block, 2 * block + 1)]
        assert cache._num_bytes == sum(kept.nbytes for kept in cache._columns.values()) <= 5000


def test_a_row_group_that_claims_more_rows_than_it_has_is_refused(tmp_path: Path) -> None:
    finding = Path(__file__).parents[2] / "fuzz_findings" / "labels-of-billions-of-rows.parquet"
    path = tmp_path / "table.parquet"
    path.write_bytes(finding.read_bytes())
    with pytest.raises(DatasetError, match="claims 86,815,733,375 rows and has 2"):
        list(iter_blocks(path, ["shelf"]))
