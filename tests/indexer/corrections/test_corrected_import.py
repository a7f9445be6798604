"""Importing keeps corrections: what a file said before changes nothing, what it says anew does."""

from pathlib import Path

from embedding_files import directions, write_embeddings
from made_galleries import key_of

from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery

KEYS = [key_of(number) for number in range(4)]


def write(target: Path, names: list[str]) -> Path:
    return write_embeddings(target, directions(1, 4), names, key=KEYS, path=[f"{n}.jpg" for n in range(4)])


def test_a_file_that_is_imported_again_takes_nothing_back(tmp_path: Path) -> None:
    source = write(tmp_path / "e.parquet", ["cup", "cup", "jug", "pan"])
    import_embeddings(source, gallery=tmp_path / "shop")
    corrections = Gallery.open(tmp_path / "shop").corrections
    corrections.rename("cup", "mug")
    corrections.remove("3.jpg")
    corrections.confirm(KEYS[2], "mug")
    report = import_embeddings(source, gallery=tmp_path / "shop")
    assert (report.added, report.updated) == (0, 0)
    assert Gallery.open(tmp_path / "shop").identities() == {"mug": 3}
    report = import_embeddings(write(source, ["cup", "pot", "tin", "pan"]), gallery=tmp_path / "shop")
    assert (report.added, report.updated) == (0, 2)
    assert Gallery.open(tmp_path / "shop").identities() == {"mug": 1, "pot": 1, "tin": 1}
    corrections.undo(2)
    assert Gallery.open(tmp_path / "shop").identities() == {"mug": 1, "pan": 1, "pot": 1, "tin": 1}


def test_rows_that_come_later_under_an_old_name_get_the_new_one(tmp_path: Path) -> None:
    import_embeddings(
        write_embeddings(tmp_path / "1.parquet", directions(1, 2), ["cup", "jug"]), gallery=tmp_path / "shop"
    )
    Gallery.open(tmp_path / "shop").corrections.merge(["jug"], into="cup")
    import_embeddings(
        write_embeddings(tmp_path / "2.parquet", directions(2, 2), ["jug", "pan"]), gallery=tmp_path / "shop"
    )
    assert Gallery.open(tmp_path / "shop").identities() == {"cup": 3, "pan": 1}
