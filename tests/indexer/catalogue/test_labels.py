"""Identities and metadata from folders and tables."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.labels import RESERVED_COLUMNS, FolderLabels, Label, TableLabels, read_labels


def labels_from(tmp_path: Path, text: str | bytes) -> TableLabels:
    path = tmp_path / "catalogue.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_labels(path)


@pytest.mark.parametrize(
    ("path", "identity"), [("chair/front.jpg", "chair"), ("chair/old/back.jpg", "chair"), ("front.jpg", None)]
)
def test_the_first_folder_is_the_identity(path: str, identity: str | None) -> None:
    assert FolderLabels().label(path) == Label(identity)


def test_a_table_gives_identity_and_typed_metadata(tmp_path: Path) -> None:
    labels = labels_from(tmp_path, "path,identity,shelf,colour\na/1.jpg,007,12,red\nb.jpg,jack,,\n")
    assert labels.label("a/1.jpg") == Label("007", {"shelf": 12, "colour": "red"})
    assert labels.label("b.jpg") == Label("jack", {"shelf": None, "colour": None})
    assert [field.name for field in labels.metadata_fields] == ["shelf", "colour"]


def test_an_unlisted_or_unnamed_file_is_its_own_identity(tmp_path: Path) -> None:
    labels = labels_from(tmp_path, "path,identity,shelf\na.jpg,,3\n")
    assert labels.label("a.jpg") == Label(None, {"shelf": 3})
    assert labels.label("other.jpg") == Label(None, {"shelf": None})
    assert labels.num_unlisted(["a.jpg", "other.jpg", "third.jpg"]) == 2


@pytest.mark.parametrize("written", ["a/1.jpg", "./a/1.jpg", "a//1.jpg", "a\\1.jpg", "b/../a/1.jpg"])
def test_spellings_of_one_path_are_one(tmp_path: Path, written: str) -> None:
    assert labels_from(tmp_path, f"path,identity\n{written},x\n").label("a/1.jpg") == Label("x")


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.PARQUET"
    parquet.write_table(pa.table({"path": ["a.jpg"], "identity": [7], "shelf": [1.5]}), path)
    assert read_labels(path).label("a.jpg") == Label("7", {"shelf": 1.5})


def test_unknown_paths_are_listed_with_their_lines(tmp_path: Path) -> None:
    labels = labels_from(tmp_path, "path,identity\na.jpg,x\nb.jpg,y\nc.jpg,z\n")
    assert labels.unknown_paths(["b.jpg", "d.jpg"]) == [("a.jpg", 2), ("c.jpg", 4)]
    assert labels.unknown_paths(["a.jpg", "b.jpg", "c.jpg"]) == []
    with pytest.raises(CatalogueError, match=r"none of its 3 paths .* 'a.jpg'.*relative to the catalogue"):
        labels.unknown_paths(["d.jpg"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,identity\na.jpg,x\n./a.jpg,y\n", "a.jpg stands in lines 2 and 3"),
        ("path,identity\na.jpg,x\n,y\n", "line 3: empty path"),
        ("file,name\na.jpg,x\n", "has no column path or identity: it has file, name"),
        ("path,name\na.jpg,x\n", "has no column identity: it has path, name"),
        ("path,identity,shelf,shelf\na.jpg,x,1,2\n", "column 'shelf' stands there twice"),
        ("path,identity,path\na.jpg,x,b.jpg\n", "column 'path' stands there twice"),
        ("path,identity\na.jpg\n", "cannot be read"),
        ("", "cannot be read"),
        (b"path,identity\n\xff\xfe.jpg,x\n", "cannot be read"),
    ],
)
def test_a_malformed_table_is_refused_by_name(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(CatalogueError, match=message) as caught:
        labels_from(tmp_path, text)
    assert "catalogue.csv" in str(caught.value)


@pytest.mark.parametrize("name", sorted(RESERVED_COLUMNS - {"path", "identity"}))
def test_the_gallerys_own_columns_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogueError, match=f"column '{name}' is the gallery's own"):
        labels_from(tmp_path, f"path,identity,{name}\na.jpg,x,1\n")


@pytest.mark.parametrize("name", ["size.cm", "_rowid", "a`b", ""])
def test_columns_that_no_table_can_hold_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogueError, match="cannot be kept as metadata: rename it"):
        labels_from(tmp_path, f"path,identity,{name}\na.jpg,x,1\n")


@pytest.mark.parametrize("name", ["catalogue.csv", "catalogue.parquet"])
def test_a_missing_table_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogueError, match=f"{name} does not exist"):
        read_labels(tmp_path / name)


def test_other_kinds_of_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"expected a \.csv or \.parquet"):
        read_labels(tmp_path / "catalogue.xlsx")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_labels(tmp_path / "broken.parquet")
