"""Images, identities and corrections as files that other programs read."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from correction_cases import made_gallery
from embedding_files import directions, write_embeddings
from pyarrow import parquet

from nearid_search.errors import ConfigError, FilterError
from nearid_search.indexer.exchange import table_export
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.exchange.table_export import export_table
from nearid_search.indexer.gallery import Gallery


def from_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def from_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def from_parquet(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    "csv": from_csv,
    "jsonl": from_lines,
    "parquet": from_parquet,
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Imported rows with awkward names and metadata."""
    names = ['cup, "red"\nlarge', "cup", "cup", "茶碗"]
    source = write_embeddings(
        tmp_path / "e.parquet", directions(1, 4), names,
        path=["a.jpg", None, "c.jpg", "d.jpg"], price=[1.5, None, float("nan"), 2.0], parts=[[1, 2], [], None, [3]],
    )  # fmt: skip
    import_embeddings(source, gallery=tmp_path / "shop")
    return tmp_path / "shop"


@pytest.mark.parametrize("form", READERS)
def test_every_format_says_the_same_of_images(form: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_export, "_ROWS_AT_ONCE", 3)
    told: list[tuple[int, int]] = []
    target = shop.parent / f"images.{form}"
    report = export_table(target, "images", gallery=shop, on_progress=lambda *state: told.append(state))
    assert (report.exported, report.format, told[-1]) == (4, form, (4, 4))
    rows = {row["path"] or None: row for row in READERS[form](target)}
    assert {path: row["identity"] for path, row in rows.items()} == {
        "a.jpg": 'cup, "red"\nlarge', None: "cup", "c.jpg": "cup", "d.jpg": "茶碗",
    }  # fmt: skip
    empty = "" if form == "csv" else None
    assert rows["a.jpg"]["price"] == ("1.5" if form == "csv" else 1.5)
    assert rows[None]["price"] == empty
    assert rows["a.jpg"]["parts"] == ("[1, 2]" if form == "csv" else [1, 2])
    assert len(rows["d.jpg"]["key"]) == 64
    assert str(rows["d.jpg"]["indexed_at"])[:2] == "20"


@pytest.mark.parametrize("form", READERS)
def test_identities_are_counted(form: str, shop: Path) -> None:
    target = shop.parent / f"identities.{form}"
    assert export_table(target, "identities", gallery=shop).exported == 3
    counts = {row["identity"]: (int(row["images"]), int(row["imported"])) for row in READERS[form](target)}
    assert counts == {"cup": (2, 2), 'cup, "red"\nlarge': (1, 1), "茶碗": (1, 1)}
    export_table(target, "identities", gallery=shop, where="price = 2.0")
    assert [row["identity"] for row in READERS[form](target)] == ["茶碗"]


@pytest.mark.parametrize("form", READERS)
def test_corrections_are_listed_with_what_undid_them(form: str, tmp_path: Path) -> None:
    corrections = made_gallery(tmp_path / ".nearid", {"cup": 2}).corrections
    corrections.rename("cup", "mug", by="Ada", because="on the label")
    corrections.undo()
    target = tmp_path / f"corrections.{form}"
    assert export_table(target, "corrections", gallery=tmp_path / ".nearid").exported == 2
    first, second = READERS[form](target)
    assert (first["who"], first["why"], first["what"]) == ("Ada", "on the label", "cup is called mug")
    assert (int(first["pictures"]), int(first["undone_by"]), int(second["undoes"])) == (2, 2, 1)


def test_a_gallery_without_rows_gives_a_file_without_rows(tmp_path: Path) -> None:
    made_gallery(tmp_path / ".nearid", {"cup": 1}).corrections.remove("cup")
    for what in ("images", "identities"):
        for form, read in READERS.items():
            target = tmp_path / f"{what}.{form}"
            assert export_table(target, what, gallery=tmp_path / ".nearid").exported == 0
            assert read(target) == []
    assert (tmp_path / "identities.csv").read_text().startswith("identity,images,imported")


def test_what_cannot_be_exported_is_refused(shop: Path) -> None:
    folder = shop.parent
    with pytest.raises(ConfigError, match=r"cannot tell the format of .*out\.txt: name it \.csv"):
        export_table(folder / "out.txt", "images", gallery=shop)
    with pytest.raises(ConfigError, match="cannot export 'pictures': give one of embeddings, images, "):
        export_table(folder / "out.csv", "pictures", gallery=shop)
    with pytest.raises(ConfigError, match="corrections are written all"):
        export_table(folder / "out.csv", "corrections", gallery=shop, where="price > 1")
    with pytest.raises(FilterError, match="shelf"):
        export_table(folder / "out.csv", "images", gallery=shop, where="shelf > 1")
    with pytest.raises(ConfigError, match="give a file somewhere else"):
        export_table(folder / "none/out.csv", "images", gallery=shop)
    assert not (folder / "out.csv").exists()
    export_table(folder / "out.txt", "images", form="csv", gallery=shop)
    assert len(from_csv(folder / "out.txt")) == Gallery.open(shop).store.num_images()
