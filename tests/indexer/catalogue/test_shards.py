"""A catalogue of shards and Parquet files makes the gallery that the same pictures in a folder make."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packed_catalogues import picture, write_parquet, write_tar

from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.survey import survey_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.reports import IndexReport

QUICK = IndexConfig(batch_size=4, decoders=1)


def index(catalogue: Path, encoder: IdentityEncoder) -> IndexReport:
    return index_catalogue(catalogue, gallery=catalogue.parent / "gallery", encoder=encoder, config=QUICK)


def opened(catalogue: Path) -> Gallery:
    return Gallery.open(catalogue.parent / "gallery")


def labels(catalogue: Path, *columns: str) -> dict[str, tuple[object, ...]]:
    rows = opened(catalogue).store.image_table(["path", "identity", *columns]).to_pylist()
    return {row["path"]: tuple(row[name] for name in ("identity", *columns)) for row in rows}


def test_tar_and_parquet_give_what_a_folder_gives(tmp_path: Path, encoder: IdentityEncoder) -> None:
    pictures = [picture(tmp_path, seed) for seed in range(4)]
    for number, data in enumerate(pictures):
        path = tmp_path / f"plain/pictures/{number}/1.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    packed = tmp_path / "packed/shards"
    write_tar(packed / "a.tar", {f"{number}/1.png": pictures[number] for number in (0, 1)})
    rows = [{"image": pictures[number], "identity": str(number)} for number in (2, 3)]
    write_parquet(packed / "sub/b.parquet", rows)
    report = index(packed, encoder)
    index(tmp_path / "plain/pictures", encoder)
    assert (report.added, report.failures) == (4, ())
    columns = ["key", "identity", "embedding", "width", "height", "thumbnail"]
    one, other = (opened(folder).store.image_table(columns) for folder in (packed, tmp_path / "plain/pictures"))
    assert one.drop_columns("path" if "path" in one.column_names else []) == other
    stored = ["shards/a.tar/0/1.png", "shards/a.tar/1/1.png", "shards/sub/b.parquet#0", "shards/sub/b.parquet#1"]
    assert sorted(labels(packed)) == stored
    again = index(packed, encoder)
    assert (again.added, again.updated, again.removed, again.unchanged) == (0, 0, 0, 4)


def test_what_belongs_to_a_picture_in_a_shard_labels_it(tmp_path: Path, encoder: IdentityEncoder) -> None:
    pictures = [picture(tmp_path, seed) for seed in range(5)]
    shard = write_tar(
        tmp_path / "s.tar",
        {
            "x/1.json": {"identity": "chair", "price": 3, "width": 99, "tags": ["a"], "made": "1990"},
            "x/1.jpg": pictures[0],
            "x/2.cls": b"7\n",
            "x/2.txt": b"a red lamp\n",
            "x/2.front.png": pictures[1],
            "x/3.png": pictures[2],
            "4.json": {"identity": 12, "price": 2.5, "made": 1991},
            "4.png": pictures[3],
            "5.json": b"[1",
            "5.png": pictures[4],
            "readme.md": b"text",
        },
    )
    report = index(shard, encoder)
    assert labels(shard, "price", "text", "tags", "made") == {
        "s.tar/x/1.jpg": ("chair", 3.0, None, '["a"]', "1990"),
        "s.tar/x/2.front.png": ("7", None, "a red lamp", None, None),
        "s.tar/x/3.png": ("x", None, None, None, None),
        "s.tar/4.png": ("12", 2.5, None, None, "1991"),
    }
    (failure,) = report.failures
    assert failure.path == str(shard / "5.png")
    assert "what is said of it cannot be read" in failure.error
    (remark,) = survey_catalogue(shard, folder=tmp_path / "gallery", gallery=None).scan.remarks
    assert remark.endswith("cannot name them: width")


def test_columns_of_a_parquet_file_label_its_pictures(tmp_path: Path, encoder: IdentityEncoder) -> None:
    pictures = [picture(tmp_path, seed) for seed in range(3)]
    rows: list[dict[str, Any]] = [
        {"image": pictures[0], "identity": "chair", "path": "other/1.jpg", "bin": 4, "vector": [1.0]},
        {"image": pictures[1], "identity": None, "path": "lamp/2.jpg", "bin": None, "vector": [2.0]},
        {"image": pictures[2], "identity": "", "path": "/abs/3.jpg", "bin": 6, "vector": [3.0]},
    ]
    file = write_parquet(tmp_path / "p.parquet", rows)
    index(file, encoder)
    assert labels(file, "bin", "original_path") == {
        "p.parquet#0": ("chair", 4, "other/1.jpg"),
        "p.parquet#1": ("lamp", None, "lamp/2.jpg"),
        "p.parquet#2": ("p.parquet#2", 6, "/abs/3.jpg"),
    }


def test_damage_is_named_and_the_rest_is_indexed(tmp_path: Path, encoder: IdentityEncoder) -> None:
    good = picture(tmp_path, 1)
    shards = tmp_path / "shards"
    write_tar(shards / "a.tar", {"1.png": good, "2.png": b"\x89PNG\r\n\x1a\n", "3.png": b""})
    (shards / "b.tar").write_bytes(b"no tar")
    (shards / "c.parquet").write_bytes(b"PAR1 no parquet PAR1")
    write_parquet(shards / "d.parquet", [{"image": None}, {"image": good}])
    report = index(shards, encoder)
    assert (report.added, report.duplicates) == (1, 1)
    failed = [Path(failure.path).relative_to(shards).as_posix() for failure in report.failures]
    assert sorted(failed) == ["a.tar/2.png", "a.tar/3.png", "b.tar", "c.parquet", "d.parquet#0"]
    again = index(shards, encoder)
    assert (again.unchanged, len(again.failures)) == (5, 5)


def test_a_shard_written_again_is_read_again_and_encodes_only_what_is_new(
    tmp_path: Path, encoder: IdentityEncoder
) -> None:
    one, two, three = (picture(tmp_path, seed) for seed in range(3))
    shard = write_tar(tmp_path / "s.tar", {"a/1.png": one, "b/2.png": two})
    index(shard, encoder)
    write_tar(shard, {"c/1.png": one, "b/3.png": three})
    os.utime(shard, ns=(1, 1))
    report = index(shard, encoder)
    assert (report.added, report.removed) == (1, 1)
    assert labels(shard) == {"s.tar/b/3.png": ("b",), "s.tar/c/1.png": ("c",)}


def test_a_renamed_shard_is_recognised(tmp_path: Path, encoder: IdentityEncoder) -> None:
    rows = [{"image": picture(tmp_path, seed), "identity": "i"} for seed in range(3)]
    file = write_parquet(tmp_path / "shards/p.parquet", rows)
    index(file.parent, encoder)
    file.rename(file.with_name("q.parquet"))
    report = index(file.parent, encoder)
    assert (report.moved, report.added, report.removed) == (3, 0, 0)
    assert sorted(labels(file.parent)) == [f"shards/q.parquet#{row}" for row in range(3)]


def test_catalogues_side_by_side_leave_each_other_alone(tmp_path: Path, encoder: IdentityEncoder) -> None:
    """A folder of pictures around shards, and one shard of a folder: none takes the others' pictures for gone."""
    data = [picture(tmp_path / "all", seed) for seed in range(4)]
    everything = tmp_path / "all"
    (everything / "plain.png").write_bytes(data[0])
    one = write_tar(everything / "shards/a.tar", {"1.png": data[1]})
    write_tar(everything / "shards/b.tar", {"1.png": data[2]})
    where = {"gallery": tmp_path / "gallery", "encoder": encoder, "config": QUICK}
    for catalogue in (everything / "shards", everything, one, everything / "shards", everything):
        report = index_catalogue(catalogue, **where)  # type: ignore[arg-type]
        assert report.removed == 0
    assert report.images == 3
    one.unlink()
    assert index_catalogue(everything / "shards", **where).removed == 1  # type: ignore[arg-type]


def test_a_query_finds_a_picture_of_a_shard_and_reads_it_again(tmp_path: Path, encoder: IdentityEncoder) -> None:
    shard = write_tar(tmp_path / "s.tar", {f"{seed}/1.png": picture(tmp_path, seed) for seed in range(3)})
    index(shard, encoder)
    engine = SearchEngine(opened(shard), encoder=encoder)
    answer = engine.query(shard / "2/1.png")
    assert answer.identity or answer.matches[0].identity == "2"
    assert np.isclose(answer.matches[0].score, 1)
    row = next(row for row in range(3) if engine.enrolled.path_at(row) == answer.matches[0].images[0].path)
    file = engine.enrolled.file_at(row)
    assert file is not None
    assert encoder.read(file).pixels.shape[2] == 3


def test_a_gallery_among_the_shards_is_not_looked_into(tmp_path: Path, encoder: IdentityEncoder) -> None:
    shards = tmp_path / "shards"
    write_tar(shards / "a.tar", {"1.png": picture(tmp_path, 1)})
    (shards / "gallery/uploads").mkdir(parents=True)
    (shards / "gallery/uploads/2.png").write_bytes(picture(tmp_path, 2))
    report = index_catalogue(shards, gallery=shards / "gallery", encoder=encoder, config=QUICK)
    assert (report.added, report.failures) == (1, ())


@pytest.mark.parametrize("name", ["p.parquet", "pictures.zip", "missing"])
def test_what_is_no_catalogue_is_refused_and_leaves_no_gallery(
    tmp_path: Path, encoder: IdentityEncoder, name: str
) -> None:
    if name != "missing":
        (tmp_path / name).write_bytes(b"nothing of use")
    with pytest.raises(CatalogueError, match=r"folder|cannot be read"):
        index(tmp_path / name, encoder)
    assert not (tmp_path / "gallery").exists()
