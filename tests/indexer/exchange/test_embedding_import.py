"""Embeddings from Parquet files: what comes in."""

import datetime
import decimal
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest
from embedding_files import NAMES, PATHS, contents, directions, fixed_lists, write_embeddings
from pyarrow import parquet

from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.exchange.import_plan import ImportPlan, ImportProgress
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import read_manifest
from nearid_search.similarity import unit_rows


def test_rows_come_in_with_unit_embeddings_and_content_keys(source: Path, gallery: Path) -> None:
    report = import_embeddings(source, gallery=gallery)
    assert (report.added, report.unchanged, report.duplicates, report.images, report.identities) == (4, 0, 0, 4, 3)
    wanted = []
    for row, identity, path, place in zip(
        unit_rows(directions(1, 4)), NAMES, PATHS, ["A", None, "B", "B"], strict=True
    ):
        key = hashlib.sha256(row.tobytes() + json.dumps([identity, path], ensure_ascii=False).encode()).hexdigest()
        wanted.append(
            {"key": key, "path": path, "identity": identity, "embedding": row.tolist(), "bin": place}
            | dict.fromkeys(("width", "height", "thumbnail"))
            | {"encoder": "embeddings:8"}
        )
    assert contents(gallery, "bin") == sorted(wanted, key=lambda row: row["key"])


def test_the_manifest_says_that_there_is_no_encoder(source: Path, gallery: Path) -> None:
    import_embeddings(source, gallery=gallery)
    manifest = read_manifest(gallery)
    assert manifest is not None
    record = manifest.encoder
    assert (record.fingerprint, record.backbone, record.dtype, record.head, record.dim) == (
        "embeddings:8", None, None, None, 8,
    )  # fmt: skip
    info = Gallery.open(gallery).info()
    assert (info["images"], info["imported"], info["encoder"], info["backbone"]) == (4, 4, "embeddings:8", None)


def test_importing_again_adds_nothing_and_writes_nothing(source: Path, gallery: Path) -> None:
    import_embeddings(source, gallery=gallery)
    before, version = contents(gallery, "bin"), Gallery.open(gallery).store.version
    plans: list[ImportPlan] = []
    report = import_embeddings(source, gallery=gallery, on_plan=plans.append)
    assert (report.added, report.unchanged) == (0, 4)
    assert (plans[0].new, plans[0].present) == (0, 4)
    assert (contents(gallery, "bin"), Gallery.open(gallery).store.version) == (before, version)


def test_a_second_file_brings_what_is_new_and_further_metadata(source: Path, gallery: Path, tmp_path: Path) -> None:
    import_embeddings(source, gallery=gallery)
    second = write_embeddings(
        tmp_path / "second.parquet", directions(1, 6), [*NAMES, "x", "y"], path=[*PATHS, None, None], shelf=range(6)
    )
    report = import_embeddings(second, gallery=gallery)
    assert (report.added, report.updated, report.unchanged, report.images) == (2, 4, 0, 6)
    found = {row["identity"]: (row["bin"], row["shelf"]) for row in contents(gallery, "bin", "shelf")}
    assert (found["x"], found["y"], found["茶碗"]) == ((None, 4), (None, 5), ("B", 2))


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 1000])
def test_a_row_twice_in_the_file_comes_in_once(batch_rows: int, gallery: Path, tmp_path: Path) -> None:
    rows = directions(2, 3)[[0, 1, 0, 2, 1]]
    source = write_embeddings(tmp_path / "e.parquet", rows, ["a", "b", "a", "c", "other"], rows_a_group=2)
    plans: list[ImportPlan] = []
    report = import_embeddings(source, gallery=gallery, batch_rows=batch_rows, on_plan=plans.append)
    assert (report.added, report.unchanged, report.duplicates, report.images) == (4, 0, 1, 4)
    assert plans[0].describe() == (
        "5 embeddings of 4 identities, 8 wide, no maker named: 4 new, 0 in the gallery already, 1 twice in the file"
    )


@pytest.mark.parametrize("batch_rows", [1, 3, 7, 50])
def test_batches_change_nothing_and_progress_counts_rows(batch_rows: int, tmp_path: Path) -> None:
    source = write_embeddings(
        tmp_path / "e.parquet", directions(3, 20), [f"{n % 6}" for n in range(20)], rows_a_group=6
    )
    seen: list[ImportProgress] = []
    import_embeddings(source, gallery=tmp_path / "one", batch_rows=batch_rows, on_progress=seen.append)
    import_embeddings(source, gallery=tmp_path / "whole")
    assert contents(tmp_path / "one") == contents(tmp_path / "whole")
    for stage in ("checking", "importing"):
        done = [state.done for state in seen if state.stage == stage]
        assert done == sorted(set(done))
        assert done[-1] == 20


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()), pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float64(), 8),
        pa.list_(pa.float32(), 8),
    ],
    ids=str,
)  # fmt: skip
def test_every_kind_of_list_gives_the_same_rows(kind: pa.DataType, source: Path, gallery: Path, tmp_path: Path) -> None:
    lists = pa.array(directions(1, 4).tolist(), kind)
    names, paths = pa.array(NAMES).dictionary_encode(), pa.array(PATHS, pa.large_string())
    other = write_embeddings(tmp_path / "o.parquet", lists, names, path=paths, bin=["A", None, "B", "B"])
    import_embeddings(other, gallery=gallery)
    assert import_embeddings(source, gallery=gallery).added == 0


def test_metadata_keeps_its_types(gallery: Path, tmp_path: Path) -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    columns = {
        "count": pa.array([1, None], pa.int16()),
        "price": pa.array([0.5, None]),
        "sold": pa.array([True, None]),
        "seen": pa.array([when, None], pa.timestamp("us", tz="UTC")),
        "day": pa.array([when.date(), None]),
        "tags": pa.array([["a", "b"], None]),
        "shelf name": pa.array(["Müller", None]).dictionary_encode(),
        "nothing": pa.nulls(2),
        "price list": pa.array([[decimal.Decimal("1.50")], None], pa.list_(pa.decimal128(8, 2))),
        "box": pa.array([{"w": 1, "h": [0.5]}, None], pa.struct({"w": pa.int8(), "h": pa.list_(pa.float32(), 1)})),
        "notes": pa.array([["x"], None], pa.large_list(pa.large_string())),
        "hour": pa.array([when.time(), None], pa.time32("ms")),
        "took": pa.array([when - when, None], pa.duration("ms")),
        "digest": pa.array([b"abcd", None], pa.binary(4)),
    }
    source = write_embeddings(tmp_path / "e.parquet", directions(4, 2), ["a", "b"], **columns)
    import_embeddings(source, gallery=gallery)
    store = Gallery.open(gallery).store
    kinds = {field.name: field.type for field in store.metadata_fields}
    assert kinds == {name: column.type for name, column in columns.items()} | {
        "shelf name": pa.string(), "nothing": pa.string(),
    }  # fmt: skip
    rows = {row["identity"]: row for row in contents(gallery, *columns)}
    for place, identity in enumerate(("a", "b")):
        assert {name: rows[identity][name] for name in columns} == {
            name: column[place].as_py() for name, column in columns.items()
        }
    for where in ("count = 1", "sold", "price < 1", "`shelf name` = 'Müller'", "seen > timestamp '2025-01-01'"):
        assert store.num_images(where) == 1


def test_fixed_lists_with_an_offset_are_read_right(gallery: Path, tmp_path: Path) -> None:
    rows = directions(13, 10)
    table = pa.table({"identity": list("abcdefghij"), "embedding": fixed_lists(rows)})
    parquet.write_table(table.slice(3, 4), tmp_path / "e.parquet")
    import_embeddings(tmp_path / "e.parquet", gallery=gallery)
    found = {row["identity"]: row["embedding"] for row in contents(gallery)}
    assert found == dict(zip("defg", unit_rows(rows[3:7]).tolist(), strict=True))
