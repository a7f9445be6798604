"""Questions asked with embeddings: a file at once answers as each row alone."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from embedding_files import directions, write_embeddings

from nearid_search import embedding_engine
from nearid_search.engine import SearchEngine
from nearid_search.errors import (
    ConfigError,
    EmbeddingsError,
    FilterError,
    GalleryMismatchError,
    NoEncoderError,
    ShapeError,
)
from nearid_search.indexer.exchange.embedding_export import export_embeddings
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.records import Failure, QueryAnswer
from nearid_search.similarity import unit_rows

DIM, VIEWS = 8, 400


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hundreds of views of one thing close together, some other things, and duplicates across things."""
    home = tmp_path_factory.mktemp("queries")
    crowd = unit_rows(directions(1, 1, DIM)) + 0.01 * directions(2, 300, DIM)
    rows = np.concatenate([crowd, directions(3, 60, DIM), crowd[:20], directions(3, 20, DIM)])
    names = ["crowd"] * 300 + [f"Ding {n // 3}" for n in range(60)] + ["copy"] * 20 + [f"twin {n}" for n in range(20)]
    source = write_embeddings(
        home / "e.parquet", rows, names, path=[f"ä/{n}" for n in range(VIEWS)], bin=[n % 4 for n in range(VIEWS)]
    )
    import_embeddings(source, gallery=home / "gallery", encoder="ViT")
    return home / "gallery"


@pytest.fixture(scope="module")
def queries() -> np.ndarray:
    """Near the crowd, beside it, exactly on stored rows, and anywhere; of any length."""
    crowd = unit_rows(directions(1, 1, DIM))
    return np.concatenate(
        [crowd, 3 * directions(3, 10, DIM), crowd + 0.02 * directions(4, 9, DIM), directions(5, 30, DIM)]
    )


@pytest.mark.parametrize("backend", ["exact", "faiss-flat"])
@pytest.mark.parametrize("where", [None, "bin = 1", "bin = 9", "identity = 'crowd'"])
@pytest.mark.parametrize(("k", "block"), [(1, 7), (5, 1), (5, 1024)])
def test_a_file_is_answered_as_each_row_alone(
    k: int, block: int, where: str | None, backend: str, gallery: Path, queries: np.ndarray, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(embedding_engine, "_QUERIES_AT_ONCE", block)
    source = write_embeddings(tmp_path / "q.parquet", queries, None, rows_a_group=17)
    engine = SearchEngine.open(gallery, encode=False, backend=backend)
    together = list(engine.query_embeddings(source, k=k, where=where))
    kept = set() if where is None else {bytes(key).decode() for key in engine.gallery.store.keys_where(where)}
    keys = engine.gallery.store.image_table([]).column("key").to_pylist()
    allowed = None if where is None else np.asarray([row for row, key in enumerate(keys) if key in kept], np.int64)
    alone = [
        engine.answer(unit_rows(queries[n : n + 1]), label=str(n), k=k, allowed=allowed) for n in range(len(queries))
    ]
    assert together == alone
    labels = [answer.query for answer in alone]
    assert list(engine.answer_many(unit_rows(queries), labels=labels, k=k, allowed=allowed)) == alone
    assert any(len(answer.matches) == k for answer in alone) == (
        where not in ("bin = 9",) and (k == 1 or where != "identity = 'crowd'")
    )


def test_a_path_is_the_label_and_else_the_row(gallery: Path, queries: np.ndarray, tmp_path: Path) -> None:
    paths = ["s3://b/1", None, "", "d e.jpg"]
    source = write_embeddings(tmp_path / "q.parquet", queries[:4], None, path=paths, further=[1, 2, 3, 4])
    answers = list(SearchEngine.open(gallery, encode=False).query_embeddings(source))
    assert [answer.query for answer in answers if isinstance(answer, QueryAnswer)] == ["s3://b/1", "1", "2", "d e.jpg"]


def test_a_row_that_cannot_be_used_is_a_failure_among_the_answers(
    gallery: Path, queries: np.ndarray, tmp_path: Path
) -> None:
    rows = queries[:5].tolist()
    rows[1], rows[3], rows[4] = None, [1.0] * 3, [float("nan")] * DIM
    source = write_embeddings(tmp_path / "q.parquet", pa.array(rows, pa.list_(pa.float32())), None)
    answers = list(SearchEngine.open(gallery, encode=False).query_embeddings(source))
    assert answers[1] == Failure("1", "its embedding is null")
    assert answers[3] == Failure("3", "its embedding has 3 values where 8 are expected")
    assert answers[4] == Failure("4", "its embedding holds NaN or null")
    assert [answer.query for answer in answers if isinstance(answer, QueryAnswer)] == ["0", "2"]


def test_imported_paths_are_shown_as_they_came(gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine = SearchEngine.open(gallery, encode=False)
    best = engine.answer(unit_rows(directions(3, 1, DIM)), label="q").matches[0]
    assert best.score == pytest.approx(1, abs=1e-6)
    assert {image.path for image in best.images} <= {f"ä/{n}" for n in range(VIEWS)}


def test_what_cannot_be_asked(gallery: Path, queries: np.ndarray, tmp_path: Path) -> None:
    engine = SearchEngine.open(gallery, encode=False)
    wide = write_embeddings(tmp_path / "wide.parquet", directions(6, 2, 12), None)
    with pytest.raises(GalleryMismatchError, match=r"row 0: its embedding has 12 values, those of .* have 8"):
        next(engine.query_embeddings(wide))
    source = write_embeddings(tmp_path / "q.parquet", queries, None)
    with pytest.raises(FilterError):
        next(engine.query_embeddings(source, where="shelf = 1"))
    with pytest.raises(ConfigError, match="k must be at least 1, got 0"):
        next(engine.query_embeddings(source, k=0))
    with pytest.raises(EmbeddingsError, match="does not exist"):
        next(engine.query_embeddings(tmp_path / "none.parquet"))
    with pytest.raises(ShapeError):
        next(engine.answer_many(unit_rows(directions(6, 2, 12)), labels=["a", "b"]))
    with pytest.raises(ShapeError, match="must be as many, got 2 and 1"):
        next(engine.answer_many(unit_rows(queries[:2]), labels=["a"]))


def test_embeddings_of_another_encoder_are_refused_if_the_file_says_so(gallery: Path, tmp_path: Path) -> None:
    other = write_embeddings(tmp_path / "e.parquet", directions(7, 3, DIM), list("abc"))
    import_embeddings(other, gallery=tmp_path / "other", encoder="ResNet")
    export_embeddings(tmp_path / "out.parquet", gallery=tmp_path / "other")
    with pytest.raises(GalleryMismatchError, match=r"were made by ResNet, those of .* by ViT"):
        next(SearchEngine.open(gallery, encode=False).query_embeddings(tmp_path / "out.parquet"))


def test_pictures_cannot_be_asked_about(gallery: Path) -> None:
    with pytest.raises(NoEncoderError, match="holds imported embeddings"):
        SearchEngine.open(gallery)
    engine = SearchEngine.open(gallery, encode=False)
    with pytest.raises(NoEncoderError, match="holds imported embeddings"):
        engine.query("x.png")
    with pytest.raises(NoEncoderError):
        next(engine.query_many(["x.png"]))
