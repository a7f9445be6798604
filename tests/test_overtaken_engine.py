"""A rebuild deletes the tables that an engine has open; what is asked of it is answered by those that are in force."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogues import MakeCatalogue, draw
from embedding_files import write_embeddings

from nearid_search.config import EncoderConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import FilterError, GalleryCorruptError, GalleryMismatchError, GalleryReplacedError
from nearid_search.explain import explain_answers
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.gallery_stamp import gallery_stamp
from nearid_search.indexer.search.lance_backend import LanceBackend

OTHER = "dinov2-small:layers=4"
CUPS = "identity = 'cup' OR identity = 'jug'"  # a condition is evaluated by the tables
Ask = Callable[[SearchEngine, Path], object]
ASKED: dict[str, Ask] = {
    "query": lambda engine, folder: engine.query(folder / "cup/1.png", where=CUPS),
    "query by a function": lambda engine, folder: engine.query(folder / "cup/1.png", where=_all),
    "query many": lambda engine, folder: list(engine.query_many(sorted(folder.glob("*/1.png")), where=CUPS)),
    "query set": lambda engine, folder: engine.query_set(sorted(folder.glob("cup/*.png")), where=CUPS),
    "explain": lambda engine, folder: engine.explain(folder / "cup/1.png", where=CUPS),
    "explain answers": lambda engine, folder: list(
        explain_answers(engine, engine.query_many([folder / "cup/1.png"], where=CUPS), where=CUPS)
    ),
}


def _all(table: Any) -> np.ndarray:
    return np.ones(len(table), bool)


@pytest.fixture
def folder(catalogue: MakeCatalogue) -> Path:
    return catalogue({"cup/1.png": 1, "cup/2.png": 2, "jug/1.png": 3, "pan/1.png": 4})


@pytest.fixture
def gallery(folder: Path, encoder: IdentityEncoder) -> Path:
    index_catalogue(folder, gallery=folder.parent / "gallery", encoder=encoder)
    return folder.parent / "gallery"


def rebuild(folder: Path, gallery: Path, encoder: IdentityEncoder | None, **options: Any) -> None:
    """Make the gallery anew from a catalogue that has changed, in a thread of its own as another process would."""
    draw(folder / "cup/2.png", 22)
    options |= {"gallery": gallery, "encoder": encoder, "rebuild": True}
    worker = threading.Thread(target=lambda: index_catalogue(folder, **options))
    worker.start()
    worker.join()


def test_the_first_question_after_a_rebuild_is_answered_by_what_is_in_force(
    folder: Path, gallery: Path, encoder: IdentityEncoder
) -> None:
    engines = {what: SearchEngine(Gallery.open(gallery), encoder) for what in ASKED}
    before = engines["query"].query(folder / "cup/1.png", where=CUPS)
    assert engines["query"].in_force is engines["query"]
    rebuild(folder, gallery, encoder)
    fresh = SearchEngine(Gallery.open(gallery), encoder)
    for what, ask in ASKED.items():
        assert ask(engines[what], folder) == ask(fresh, folder), what
        assert engines[what].in_force.rows.tables == fresh.rows.tables, what
        assert engines[what].refreshed() is engines[what].in_force
    after = engines["query"].query(folder / "cup/1.png", where=CUPS)
    assert after != before
    rebuild(folder, gallery, encoder)
    assert engines["query"].query(folder / "cup/1.png", where=CUPS) == after


def test_what_is_in_memory_answers_until_tables_are_needed_and_never_again(
    folder: Path, gallery: Path, encoder: IdentityEncoder
) -> None:
    engine = SearchEngine(Gallery.open(gallery), encoder)
    asked = folder.parent / "asked.png"
    asked.write_bytes((folder / "cup/2.png").read_bytes())
    rebuild(folder, gallery, encoder)
    assert engine.query(asked).matches[0].score == pytest.approx(1, abs=1e-6)
    engine.query(asked, where=CUPS)
    assert engine.query(asked).matches[0].score < 0.999


def test_a_search_in_the_tables_is_put_to_those_in_force(folder: Path, gallery: Path, encoder: IdentityEncoder) -> None:
    engine = SearchEngine(Gallery.open(gallery), encoder, backend="lance-ivf-rq")
    assert isinstance(engine.backend, LanceBackend)
    rebuild(folder, gallery, encoder)
    assert engine.check_claim(folder / "cup/2.png", "cup").score == pytest.approx(1, abs=1e-6)
    assert isinstance(engine.in_force.backend, LanceBackend)


def test_queries_that_are_embedded_go_on_with_the_same_encoder_and_stop_with_another(
    folder: Path, gallery: Path, encoder: IdentityEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearid_search.embedding_engine._QUERIES_AT_ONCE", 2)
    vectors = encoder.encode(sorted(folder.glob("*/*.png")))
    source = write_embeddings(tmp_path / "q.parquet", vectors, None)

    def begun() -> tuple[SearchEngine, Iterator[Any]]:
        engine = SearchEngine.open(gallery, encode=False, backend="lance-ivf-rq")
        answers = engine.query_embeddings(source, where=CUPS)
        next(answers)
        return engine, answers

    engine, answers = begun()
    rebuild(folder, gallery, encoder)
    rest = list(answers)
    assert rest[1:] == list(SearchEngine.open(gallery, encode=False).query_embeddings(source, where=CUPS))[2:]
    engine, answers = begun()
    rebuild(folder, gallery, None, encoder_config=EncoderConfig(backbone=OTHER, head=None))
    next(answers)  # of the block that was answered
    with pytest.raises(GalleryMismatchError, match=f"made anew by another encoder: ask again, .*{OTHER}"):
        next(answers)
    assert engine.in_force.gallery.manifest.encoder.backbone == OTHER


def test_pictures_are_encoded_again_by_another_encoder(folder: Path, gallery: Path, encoder: IdentityEncoder) -> None:
    engine = SearchEngine(Gallery.open(gallery), encoder)
    rebuild(folder, gallery, None, encoder_config=EncoderConfig(backbone=OTHER, head=None))
    found = list(engine.query_many(sorted(folder.glob("*/*.png")), where=CUPS))
    fresh = SearchEngine.open(gallery, device="cpu")
    assert found == list(fresh.query_many(sorted(folder.glob("*/*.png")), where=CUPS))
    assert engine.in_force.encoder.fingerprint == fresh.encoder.fingerprint != encoder.fingerprint


def test_what_cannot_be_put_to_another_gallery_is_told_in_a_line(
    folder: Path, gallery: Path, encoder: IdentityEncoder
) -> None:
    opened = Gallery.open(gallery)
    past = SearchEngine(opened.as_of(str(opened.store.version)), encoder)
    held = SearchEngine(opened, encoder, backend="lance-ivf-rq")
    rebuild(folder, gallery, encoder)
    said = rf"{gallery} was made anew since it was opened: open it again"
    with pytest.raises(GalleryReplacedError, match=said):
        past.query(folder / "cup/1.png", where=CUPS)
    with pytest.raises(GalleryReplacedError, match=said):
        held.answer(encoder.encode([folder / "cup/1.png"]), label="cup")
    reads = (opened.identities, opened.failures, opened.store.num_imported, lambda: opened.store.thumbnails(["0"]))
    for read in reads:
        with pytest.raises(GalleryReplacedError, match=said):
            read()


def test_what_is_wrong_with_a_question_or_with_tables_in_force_is_told_as_before(
    folder: Path, gallery: Path, encoder: IdentityEncoder
) -> None:
    engine = SearchEngine(Gallery.open(gallery), encoder)
    with pytest.raises(FilterError, match="cannot filter by"):
        next(engine.query_many([], where="nowhere = 1"))
    rebuild(folder, gallery, encoder)
    with pytest.raises(FilterError, match="cannot filter by"):
        engine.query(folder / "cup/1.png", where="nowhere = 1")
    for file in (gallery / Gallery.open(gallery).manifest.tables / "images.lance/data").iterdir():
        file.unlink()
    with pytest.raises(GalleryCorruptError, match="gallery repair"):
        Gallery.open(gallery).identities()


def test_what_is_written_while_an_engine_opens_is_seen_by_the_next_look(
    gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Gallery.open

    def overtaken(*args: Any, **options: Any) -> Gallery:
        opened = real(*args, **options)
        monkeypatch.setattr(Gallery, "open", real)
        real(gallery).corrections.rename("cup", "mug")
        return opened

    monkeypatch.setattr(Gallery, "open", overtaken)
    engine = SearchEngine.open(gallery, encode=False)
    assert gallery_stamp(gallery) != engine._stamp
    assert "cup" in engine.enrolled.identities.names.to_pylist()
    assert "mug" in engine.refreshed().enrolled.identities.names.to_pylist()
