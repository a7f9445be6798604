"""Importing into a gallery that has the rows already: what changes, what does not, and what it is searched with."""

from pathlib import Path

import pytest
from embedding_files import contents, directions, write_embeddings
from made_galleries import FINGERPRINT, key_of, make_gallery

from nearid_search.config import AnnConfig
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.exchange.import_plan import ImportPlan
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.similarity import unit_rows

KEYS = [key_of(number) for number in range(4)]
NAMES = ["cup", "cup", "jug", "pan"]


@pytest.mark.parametrize("batch_rows", [1, 3, 100])
def test_a_row_takes_over_what_the_file_says_of_it_now(gallery: Path, tmp_path: Path, batch_rows: int) -> None:
    rows = directions(1, 4)
    first = write_embeddings(
        tmp_path / "1.parquet", rows, NAMES, key=KEYS, path=["a", "b", None, "d"], bin=[1, 2, 3, 4]
    )
    import_embeddings(first, gallery=gallery)
    embeddings = {row["key"]: row["embedding"] for row in contents(gallery)}
    names = ["cup", "mug", "jug", "pan"]
    second = write_embeddings(
        tmp_path / "2.parquet", rows, names, key=KEYS, path=["a", "b", "c", "d"], bin=[1, 2, 3, None], tags=[["x"]] * 4
    )
    plans: list[ImportPlan] = []
    report = import_embeddings(second, gallery=gallery, batch_rows=batch_rows, on_plan=plans.append)
    assert (report.added, report.updated, report.unchanged, report.identities) == (0, 4, 0, 4)
    assert plans[0].describe().endswith("0 new, 4 in the gallery already (4 with other labels)")
    found = {row["key"]: row for row in contents(gallery, "bin", "tags")}
    assert [(found[key]["identity"], found[key]["path"], found[key]["bin"]) for key in KEYS] == [
        ("cup", "a", 1), ("mug", "b", 2), ("jug", "c", 3), ("pan", "d", None),
    ]  # fmt: skip
    assert all(row["tags"] == ["x"] for row in found.values())
    assert {key: row["embedding"] for key, row in found.items()} == embeddings
    # What a file does not speak of stays.
    third = write_embeddings(tmp_path / "3.parquet", rows, names, key=KEYS)
    assert import_embeddings(third, gallery=gallery, batch_rows=batch_rows).unchanged == 4
    assert contents(gallery, "bin", "tags") == sorted(found.values(), key=lambda row: str(row["key"]))


def test_of_a_row_twice_in_the_file_the_first_counts(gallery: Path, tmp_path: Path) -> None:
    rows = directions(1, 2)
    import_embeddings(write_embeddings(tmp_path / "1.parquet", rows, ["a", "b"], bin=[0, 0]), gallery=gallery)
    again = write_embeddings(tmp_path / "2.parquet", rows[[0, 1, 0, 0]], ["a", "b", "a", "a"], bin=[1, 0, 2, 3])
    for batch_rows in (1, 4):
        report = import_embeddings(again, gallery=gallery, batch_rows=batch_rows)
        assert (report.duplicates, report.updated + report.unchanged) == (2, 2)
        assert {row["identity"]: row["bin"] for row in contents(gallery, "bin")} == {"a": 1, "b": 0}


def test_a_picture_keeps_what_its_catalogue_says(gallery: Path, tmp_path: Path) -> None:
    rows = unit_rows(directions(1, 4))
    make_gallery(gallery, rows, (rows[:, 0] > 0).astype(int))
    before = contents(gallery)
    file = write_embeddings(tmp_path / "1.parquet", rows, ["other"] * 4, key=KEYS)
    report = import_embeddings(file, gallery=gallery, encoder=FINGERPRINT)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 4)
    assert contents(gallery) == before


def test_two_importers_that_both_checked_first_write_each_row_once(gallery: Path, tmp_path: Path) -> None:
    """The second one imports, and is done, between the first one's two passes."""
    source = write_embeddings(tmp_path / "1.parquet", directions(1, 4), NAMES)
    inner = []
    report = import_embeddings(
        source, gallery=gallery, on_plan=lambda _plan: inner.append(import_embeddings(source, gallery=gallery))
    )
    assert (inner[0].added, report.added, report.unchanged, report.images) == (4, 0, 4, 4)
    assert len({row["key"] for row in contents(gallery)}) == 4


def test_the_search_index_follows_an_import(gallery: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    rows = directions(1, 60)
    names = [f"thing {number // 2}" for number in range(60)]
    first = write_embeddings(tmp_path / "1.parquet", rows[:30], names[:30])
    steps: list[str] = []
    report = import_embeddings(
        first,
        gallery=gallery,
        search=AnnConfig(backend="hnsw-sq8"),
        on_step=lambda step, _done, _total: steps.append(step),
    )
    assert report.search == "hnsw-sq8 because it was asked for"
    assert list(dict.fromkeys(steps)) == ["training", "adding", "writing"]
    import_embeddings(write_embeddings(tmp_path / "2.parquet", rows, names), gallery=gallery)
    index = Gallery.open(gallery).info()["index"]
    assert (index["state"], index["backend"], index["covered"]) == ("fresh", "hnsw-sq8", 60)
    engine = SearchEngine.open(gallery, encode=False)
    assert isinstance(engine.backend, ApproximateBackend)
    answers = engine.answer_many(unit_rows(rows), labels=names)
    assert [answer.matches[0].identity for answer in answers] == names
    with pytest.raises(ConfigError, match="unknown backend"):
        import_embeddings(first, gallery=tmp_path / "none", search=AnnConfig(backend="pq"))
    assert not (tmp_path / "none").exists()
