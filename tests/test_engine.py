"""The engine over generated embeddings: batches, its search index, and what it says when that cannot be used."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import look_alikes
from made_galleries import make_gallery
from stored_indexes import refresh

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, SearchIndexWarning, ShapeError
from nearid_search.indexer.approximate import ApproximateBackend
from nearid_search.indexer.exact import ExactBackend
from nearid_search.indexer.gallery import Gallery
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
