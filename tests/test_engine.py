"""The engine over generated embeddings: batches, its search index, and what it says when that cannot be used."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from catalogues import draw
from embeddings import look_alikes
from made_galleries import make_gallery
from numpy.typing import NDArray
from stored_indexes import refresh

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, FilterError, SearchIndexWarning, ShapeError, UnreadableImageError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.similarity import Embeddings


@pytest.fixture(scope="module")
def vectors(encoder: IdentityEncoder) -> Embeddings:
    return look_alikes(2, 100, 6, encoder.dim)[0]


@pytest.fixture
def gallery(encoder: IdentityEncoder, vectors: Embeddings, tmp_path: Path) -> Gallery:
    codes = look_alikes(2, 100, 6, encoder.dim)[1]
    return make_gallery(tmp_path / "gallery", vectors, codes, fingerprint=encoder.fingerprint)


@pytest.mark.parametrize("count", [0, 1, 300])
def test_many_answers_are_those_of_one_at_a_time(
    gallery: Gallery, encoder: IdentityEncoder, vectors: Embeddings, count: int
) -> None:
    engine = SearchEngine(gallery, encoder)
    labels = [f"query {number}" for number in range(count)]
    allowed = np.arange(0, 600, 3)
    answers = list(engine.answer_many(vectors[:count], labels=labels, k=2, allowed=allowed))
    assert [answer.query for answer in answers] == labels
    for number in {0, count // 2, count - 1} if count else set():
        alone = engine.answer(vectors[number : number + 1], label=labels[number], k=2, allowed=allowed)
        assert answers[number] == alone


def test_what_cannot_be_answered_is_refused(gallery: Gallery, encoder: IdentityEncoder, vectors: Embeddings) -> None:
    engine = SearchEngine(gallery, encoder)
    with pytest.raises(ConfigError, match="k must be at least 1, got 0"):
        engine.answer(vectors[:1], label="q", k=0)
    with pytest.raises(ShapeError, match="embeddings and labels must be as many, got 2 and 1"):
        engine.answer(vectors[:2], label="q")
    with pytest.raises(ShapeError, match="queries must be"):
        engine.answer(vectors[:1, :8], label="q")


def test_several_pictures_of_one_thing_are_one_answer(
    gallery: Gallery, encoder: IdentityEncoder, tmp_path: Path
) -> None:
    engine = SearchEngine(gallery, encoder)
    pictures = [tmp_path / f"{seed}.png" for seed in (1, 2)]
    for seed, picture in enumerate(pictures):
        draw(picture, seed)
    together = engine.query_set(pictures, k=3)
    assert together.query == f"{pictures[0]} + {pictures[1]}"
    embeddings = encoder.encode(pictures)
    assert together == engine.answer_set(embeddings, label=together.query, k=3, pictures=pictures)
    assert together.pictures == tuple(map(str, pictures))
    alone = [engine.answer(embeddings[n : n + 1], label="", k=500).matches for n in range(2)]
    best = together.matches[0].images[0]
    scores = [next(i.score for m in matches for i in m.images if i.key == best.key) for matches in alone]
    assert best.score == pytest.approx(np.mean(scores), abs=1e-5)
    with pytest.raises(UnreadableImageError):
        engine.query_set([*pictures, tmp_path / "none.png"])
    with pytest.raises(ConfigError, match="k must be at least 1"):
        engine.query_set(pictures, k=0)


def test_a_filter_may_be_a_function(gallery: Gallery, encoder: IdentityEncoder, vectors: Embeddings) -> None:
    engine = SearchEngine(gallery, encoder)
    seen: list[list[str]] = []

    def accept(images: pa.Table) -> NDArray[np.bool_]:
        seen.append(images.column_names)
        return ~np.isin(images.column("identity").to_pylist(), ["thing 3", "thing 4"])

    allowed = engine.enrolled.allowed(accept)
    assert allowed is not None
    by_sql = engine.enrolled.allowed("identity NOT IN ('thing 3', 'thing 4')")
    assert allowed.tolist() == by_sql.tolist()  # type: ignore[union-attr]
    assert seen == [["key", "path", "identity"]]
    own = engine.answer(vectors[:1], label="q", allowed=allowed, k=200)
    assert {"thing 3", "thing 4"}.isdisjoint(match.identity for match in own.matches)
    for wrong in (lambda _: np.ones(3, bool), lambda images: np.ones(len(images)), lambda _: None):
        with pytest.raises(FilterError, match=r"must return \(600,\) bool, one for each image"):
            engine.enrolled.allowed(wrong)  # type: ignore[arg-type]


def test_the_search_index_is_used_and_its_damage_is_a_warning(
    gallery: Gallery, encoder: IdentityEncoder, vectors: Embeddings
) -> None:
    pytest.importorskip("faiss")
    assert type(SearchEngine(gallery, encoder).backend) is ExactBackend
    expected = SearchEngine(gallery, encoder).answer(vectors[:1], label="q")
    refresh(gallery, "ivf-sq8")
    engine = SearchEngine(gallery, encoder)
    assert type(engine.backend) is ApproximateBackend
    assert engine.answer(vectors[:1], label="q") == expected
    next(gallery.index_dir.glob("*.vectors")).unlink()
    with pytest.warns(SearchIndexWarning, match="is missing; every vector is scanned instead"):
        engine = SearchEngine(gallery, encoder)
    assert engine.answer(vectors[:1], label="q") == expected
    told: list[str] = []
    SearchEngine(gallery, encoder, on_warning=told.append)
    assert len(told) == 1
