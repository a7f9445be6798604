"""What workers have staged is taken into the gallery once, whichever run staged it; no Ray is started here."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogues import MakeCatalogue

from nearid_search.config import ClusterConfig, IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import MissingExtraError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.indexer.catalogue.survey import Survey, survey_catalogue
from nearid_search.indexer.cluster.commit import choose_rows
from nearid_search.indexer.cluster.embed_worker import EmbedWorker, WorkOrder, batch_table
from nearid_search.indexer.cluster.staging import STAGED_DIRNAME, StagedBatch, Staging
from nearid_search.indexer.gallery import Gallery

for module in ("ray", "lance"):
    pytest.importorskip(module, reason="the extra ray is not installed")
QUICK = IndexConfig(batch_size=2, decoders=1)
PICTURES = {f"{number % 3}/{number}.png": number % 7 for number in range(12)}


def contents(gallery: Path) -> tuple[dict[str, list[Any]], list[Any]]:
    store = Gallery.open(gallery).store
    columns = ["key", "path", "identity", "embedding", "width", "height", "thumbnail"]
    return store.image_table(columns).to_pydict(), sorted(store.ledger(), key=lambda record: record.path)


def parts(files: list[ScannedFile], size: int) -> Iterator[list[ScannedFile]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]


def stage(gallery: Path, catalogue: Path, encoder: IdentityEncoder, *, size: int) -> Survey:
    """Do in this process what the workers of a run did that was killed before it committed."""
    opened = Gallery.create(gallery, encoder)
    opened.store.ensure_correctable()
    survey = survey_catalogue(catalogue, folder=gallery, gallery=opened)
    worker = EmbedWorker(
        WorkOrder(gallery, "manifest.json", survey.stored_catalogue, survey.source, "cpu", batch_size=2, decoders=1)
    )
    for files in reversed(list(parts(survey.plan.to_read, size))):  # workers end in any order
        labels = [survey.label(survey.stored(file.path)) for file in files]
        counts = worker(batch_table(files, labels, [])).to_pylist()
        assert counts == [{"done": len(files), "failed": sum("bad" in file.path for file in files)}]
        assert worker(batch_table(files, labels, [])).to_pylist() == counts  # done again, it is only looked up
    return survey


def test_what_a_killed_run_staged_is_taken_over(
    tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    folder = catalogue(PICTURES)
    (folder / "0/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    whole, staged = tmp_path / "whole", tmp_path / "staged"
    single = index_catalogue(folder, gallery=whole, encoder=encoder, config=QUICK)
    stage(staged, folder, encoder, size=3)
    notes = list((staged / "tables" / STAGED_DIRNAME).glob("*.json"))
    assert len(notes) == 5
    assert Gallery.open(staged).store.num_images() == 0
    cluster = ClusterConfig(address="there is none")  # and nobody asks for it
    report = index_catalogue(folder, gallery=staged, encoder=encoder, config=QUICK, cluster=cluster)
    assert contents(staged) == contents(whole)
    assert (report.added, report.duplicates, report.failures) == (single.added, single.duplicates, single.failures)
    assert not list((staged / "tables" / STAGED_DIRNAME).iterdir())
    again = index_catalogue(folder, gallery=staged, encoder=encoder, config=QUICK, cluster=cluster)
    assert (again.added, again.unchanged) == (0, len(PICTURES) + 1)


def test_a_run_that_was_killed_after_its_commit_commits_nothing_twice(
    tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    folder, gallery = catalogue(PICTURES), tmp_path / "gallery"
    stage(gallery, folder, encoder, size=4)
    notes = {note: note.read_bytes() for note in (gallery / "tables" / STAGED_DIRNAME).iterdir()}
    cluster = ClusterConfig(address="there is none")
    index_catalogue(folder, gallery=gallery, encoder=encoder, config=QUICK, cluster=cluster)
    before = contents(gallery)
    for note, content in notes.items():
        note.write_bytes(content)
    Gallery.open(gallery).store.forget_files([record.path for record in before[1]])
    report = index_catalogue(folder, gallery=gallery, encoder=encoder, config=QUICK, cluster=cluster)
    assert contents(gallery) == before
    assert report.added == 0


def test_a_damaged_note_or_fragment_is_a_batch_to_embed_again(
    tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    folder, gallery = catalogue(PICTURES), tmp_path / "gallery"
    survey = stage(gallery, folder, encoder, size=4)
    opened = Gallery.open(gallery)
    schema = opened.store.images.schema
    staging = Staging(gallery / "tables", catalogue=survey.stored_catalogue, encoder=encoder.fingerprint, schema=schema)
    first, second, third = list(staging.batches())
    first.note.write_bytes(first.note.read_bytes()[:-9])
    assert second.fragment is not None
    (gallery / "tables/images.lance/data" / second.fragment["files"][0]["path"]).unlink()
    assert [batch.note for batch in staging.batches()] == [third.note]
    other = Staging(gallery / "tables", catalogue=survey.stored_catalogue, encoder="another", schema=schema)
    assert not list(other.batches())


def test_without_ray_one_line_says_what_installs_it(
    tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"needs ray\[data\].*pip install 'nearid-search\[ray\]'"):
        index_catalogue(catalogue(PICTURES), gallery=tmp_path / "gallery", encoder=encoder, cluster=ClusterConfig())
    assert not (tmp_path / "gallery").exists()


def test_of_the_same_bytes_the_first_in_the_catalogue_is_taken() -> None:
    def batch(name: str, *rows: tuple[str, str]) -> StagedBatch:
        return StagedBatch(Path(name), {}, list(rows), [])

    late, early = batch("late", ("k1", "c"), ("k2", "d"), ("k3", "e")), batch("early", ("k1", "a"), ("k4", "gone"))
    chosen = choose_rows([late, early], {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}, wanted={"k1", "k2", "k4"})
    assert [(found.note.name, rows) for found, rows in chosen] == [("late", [1]), ("early", [0, 1])]


def test_a_picture_whose_twin_is_gone_by_now_keeps_its_row(
    tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    folder, gallery = catalogue({"a/1.png": 1, "b/2.png": 1, "c/3.png": 3}), tmp_path / "gallery"
    stage(gallery, folder, encoder, size=3)
    (folder / "a/1.png").unlink()
    cluster = ClusterConfig(address="there is none")
    index_catalogue(folder, gallery=gallery, encoder=encoder, config=QUICK, cluster=cluster)
    assert Gallery.open(gallery).identities() == {"b": 1, "c": 1}
