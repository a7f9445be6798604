"""Patch against patch: the score by the book, the time budget, and pictures that are gone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogues import draw
from hypothesis import given, settings
from hypothesis import strategies as st
from small_heads import write_head

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.ranking import mean_of_set
from nearid_search.rerank.patches import patch_score
from nearid_search.rerank.rung import Deadline, Rescored
from nearid_search.rerank.shortlist import take_shortlist
from nearid_search.similarity import pair_scores, unit_rows


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_the_score_is_the_weighted_mean_of_the_best_cosines(seed: int, own: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    query = [unit_rows(rng.normal(size=(own + scale, 4))) for scale in range(2)]
    other = [unit_rows(rng.normal(size=(others, 4))) for _ in range(2)]
    weights = rng.dirichlet(np.ones(2 * own + 1)).astype(np.float32)
    total, number = 0.0, 0
    for scale in range(2):
        for patch in query[scale]:
            total += weights[number] * max(float(patch @ candidate) for candidate in other[scale])
            number += 1
    assert patch_score(query, weights, other) == pytest.approx(total, abs=1e-5)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, encoder: IdentityEncoder) -> Path:
    home = tmp_path_factory.mktemp("shop")
    for number in range(8):
        draw(home / f"catalogue/{number % 4}/{number}.png", number)
    made = IdentityEncoder(encoder.backbone, head=write_head(home / "head", encoder.backbone.spec))
    index_catalogue(home / "catalogue", gallery=home / "gallery", encoder=made)
    return home


def rescore(shop: Path, picture: Path, milliseconds: float) -> tuple[Rescored, list[str]]:
    """Return what the rung says, and the identities it scored."""
    engine = SearchEngine.open(shop / "gallery", rerank="none")
    rung = engine.second_look.reranker("patches", budget_ms=milliseconds).rung
    shortlist = take_shortlist(engine.backend, engine.rows, engine.encoder.encode([picture])[0], engine.enrolled.codes)
    found = rung(shortlist, [picture], Deadline(milliseconds))
    return found, [engine.enrolled.identities.name(code) for code in found.codes.tolist()]


def test_a_picture_is_most_alike_to_itself_and_one_view_of_each_is_looked_at(shop: Path) -> None:
    found, identities = rescore(shop, shop / "catalogue/2/6.png", 600_000)
    assert sorted(identities) == ["0", "1", "2", "3"]
    assert identities[int(np.argmax(found.scores))] == "2"
    assert found.scores.max() == pytest.approx(1, abs=1e-3)
    assert found.remarks == ()


def test_several_pictures_count_by_their_mean_and_a_set_of_one_is_a_query(shop: Path) -> None:
    pictures = [shop / "catalogue/2/6.png", shop / "catalogue/1/5.png"]
    engine = SearchEngine.open(shop / "gallery", rerank="patches", rerank_ms=600_000)
    rung = engine.second_look.reranker("patches", budget_ms=600_000).rung
    embeddings = engine.encoder.encode(pictures)
    mean, length = mean_of_set(embeddings)
    together = take_shortlist(engine.backend, engine.rows, mean, engine.enrolled.codes)
    alone = [
        rung(together._replace(scores=pair_scores(own, together.vectors)), [picture], Deadline(600_000))
        for own, picture in zip(embeddings, pictures, strict=True)
    ]
    best = dict(zip(alone[0].codes.tolist(), np.mean([found.scores for found in alone], axis=0).tolist(), strict=True))
    answer = engine.query_set(pictures)
    names = [engine.enrolled.identities.name(code) for code in sorted(best, key=lambda code: -best[code])]
    assert [match.identity for match in answer.matches] == names
    found = rung(together._replace(scores=together.scores * np.float32(length)), pictures, Deadline(600_000))
    np.testing.assert_allclose(found.scores, [best[code] for code in found.codes.tolist()], atol=1e-5)
    one, query = engine.query_set(pictures[:1]), engine.query(pictures[0])
    assert replace(one, rerank=None) == replace(query, rerank=None)


def test_it_stops_at_its_time_budget_and_says_so(shop: Path) -> None:
    assert rescore(shop, shop / "catalogue/2/6.png", 0.001)[0].remarks == (
        "stopped at its time budget of 0.001 ms after 0 identities",
    )
    engine = SearchEngine.open(shop / "gallery", rerank="patches", rerank_ms=0.001)
    plain = SearchEngine.open(shop / "gallery", rerank="none").query(shop / "catalogue/1/5.png")
    answer = engine.query(shop / "catalogue/1/5.png")
    assert answer.rerank is not None
    assert (answer.rerank.changed, answer.matches) == (False, plain.matches)


def test_a_picture_that_is_gone_is_skipped_and_told(shop: Path) -> None:
    moved = (shop / "catalogue/3/3.png", shop / "catalogue/3/7.png")
    for path in moved:
        path.rename(path.with_suffix(".away"))
    try:
        found, identities = rescore(shop, shop / "catalogue/2/6.png", 600_000)
    finally:
        for path in moved:
            path.with_suffix(".away").rename(path)
    assert sorted(identities) == ["0", "1", "2"]
    assert found.remarks[0].startswith("1 pictures cannot be read any more, such as ")
    assert "catalogue/3/" in found.remarks[0]
