"""What is measured of re-ranking is what an obvious count gives, is stored, and decides what queries go through."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import oracles
import pytest
from embeddings import look_alikes
from made_galleries import add_images, make_gallery
from numpy.typing import NDArray

from nearid_search.config import TuneConfig
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, RerankUnusableError, SearchIndexWarning
from nearid_search.eval.rerank_tuning import Outcome, choose, figures_of, tune_rerank
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.rerank_record import RERANK_NAME, read_rerank_record, write_rerank_record
from nearid_search.indexer.search.tune import find_look_alikes
from nearid_search.ranking import group_hits
from nearid_search.rerank.expansion import expanded_scores
from nearid_search.rerank.ladder import OF_PICTURES, PATCHES, RUNGS
from nearid_search.rerank.neighbours import sibling_scores
from nearid_search.rerank.shortlist import Shortlist
from nearid_search.similarity import unit_rows

VECTORS, CODES = look_alikes(5, 60, 6, noise=0.7)
CONFIG = TuneConfig(queries=80, seed=2)
RUNGS_OF_EMBEDDINGS: dict[str, Callable[[Shortlist], NDArray[np.float32]]] = {
    "expand": expanded_scores,
    "siblings": sibling_scores,
}


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return make_gallery(tmp_path / "gallery", VECTORS, CODES, in_order=True)


def test_the_figures_are_those_of_an_obvious_count(gallery: Gallery) -> None:
    engine = SearchEngine(gallery, None)
    record = tune_rerank(engine, CONFIG, budget_ms=60_000)
    asked = find_look_alikes(VECTORS, engine.enrolled.codes, CONFIG).rows
    assert record.skipped == dict.fromkeys(OF_PICTURES, "it looks at pictures, and here are embeddings only")
    assert (record.queries, record.rows, record.seed) == (80, len(VECTORS), 2)
    plain, right = 0, dict.fromkeys(RUNGS_OF_EMBEDDINGS, 0)
    for row in asked.tolist():
        others = [other for other in range(len(VECTORS)) if other != row]
        ((scores,), (rows,)) = oracles.top_k(VECTORS[row : row + 1], VECTORS, k=50, allowed=others)
        codes = CODES[rows]
        plain += codes[0] == CODES[row]
        shortlist = Shortlist(VECTORS[row], np.asarray(rows), np.asarray(scores, np.float32), codes, VECTORS[rows])
        listed = [identity.code for identity in group_hits(shortlist.scores, shortlist.rows, codes, k=11)]
        for name, rung in RUNGS_OF_EMBEDDINGS.items():
            new = rung(shortlist)
            best = max(listed, key=lambda code: max(new[codes == code]))
            right[name] += best == CODES[row]
    assert record.plain_rank1 == pytest.approx(plain / 80)
    for name, count in right.items():
        figures = record.rungs[name]
        assert figures.rank1 == pytest.approx(count / 80)
        assert figures.gain == pytest.approx(100 * (count - plain) / 80)
        assert figures.gain_low is not None
        assert figures.gain_high is not None
        assert figures.gain_low <= figures.gain <= figures.gain_high
        assert (figures.queries, figures.stopped) == (80, 0)


def test_only_what_helps_is_switched_on() -> None:
    identities = np.repeat(np.arange(40), 2)
    wrong = np.zeros(80, np.bool_)

    def figures(right: np.ndarray, milliseconds: float = 1.0) -> object:
        return figures_of([Outcome(bool(each), milliseconds, False) for each in right], wrong, identities)

    little, much = np.arange(80) < 4, np.arange(80) < 40
    lucky = np.arange(80) < 1  # one identity: the interval reaches 0
    made = {"lucky": figures(lucky), "little": figures(little), "much": figures(much), "slow": figures(much, 9.0)}
    assert choose(made) == "much"  # type: ignore[arg-type]
    assert choose({"lucky": made["lucky"]}) is None  # type: ignore[dict-item]
    assert choose({}) is None


def test_queries_go_through_what_was_switched_on(gallery: Gallery) -> None:
    rows = gallery.rows()
    record = tune_rerank(SearchEngine(gallery, None), CONFIG, budget_ms=60_000)
    stored = read_rerank_record(gallery.folder, rows)
    assert stored == record
    write_rerank_record(gallery.folder, replace(record, chosen="siblings"))
    engine = SearchEngine(gallery, None)
    answer = engine.answer(VECTORS[:1], label="q", k=3)
    assert answer.rerank is not None
    assert answer.rerank.name == "siblings"
    assert answer == replace(engine.answer(VECTORS[:1], label="q", k=3), rerank=answer.rerank)
    assert SearchEngine(gallery, None, rerank="none").answer(VECTORS[:1], label="q").rerank is None
    info = gallery.info()["rerank"]
    assert (info["state"], info["chosen"], set(info["rungs"])) == ("fresh", "siblings", set(record.rungs))
    write_rerank_record(gallery.folder, replace(record, chosen=PATCHES))
    with pytest.warns(SearchIndexWarning, match="answers are not re-ranked by patches: it looks at pictures"):
        assert SearchEngine(gallery, None).answer(VECTORS[:1], label="q").rerank is None
    add_images(gallery, VECTORS[:3], CODES[:3], start=5_000)
    assert gallery.info()["rerank"]["state"] == "stale"


def test_a_damaged_or_foreign_record_is_named_and_left_out(gallery: Gallery) -> None:
    record = tune_rerank(SearchEngine(gallery, None), CONFIG, budget_ms=60_000)
    write_rerank_record(gallery.folder, replace(record, chosen="expand", encoder="another"))
    with pytest.raises(RerankUnusableError, match="was measured on other embeddings"):
        read_rerank_record(gallery.folder, gallery.rows())
    path = gallery.folder / RERANK_NAME
    path.write_bytes(path.read_bytes().replace(b"expand", b"reciprocal"))
    with pytest.warns(SearchIndexWarning, match="was altered since it was written.*answers are not re-ranked"):
        engine = SearchEngine(gallery, None)
    assert engine.answer(VECTORS[:1], label="q").rerank is None
    assert gallery.info()["rerank"]["state"] == "unusable"


@pytest.mark.parametrize("name", [name for name in RUNGS if name not in OF_PICTURES])
def test_order_changes_and_scores_do_not(gallery: Gallery, name: str) -> None:
    plain = SearchEngine(gallery, None, rerank="none")
    engine = SearchEngine(gallery, None, rerank=name, rerank_ms=60_000)
    changed = 0
    rng = np.random.default_rng(0)
    for row in range(0, len(VECTORS), 5):
        query = unit_rows(VECTORS[row : row + 1] + 0.2 * rng.normal(size=(1, VECTORS.shape[1])))
        before, after = (one.answer(query, label="q", k=10) for one in (plain, engine))
        scores = {match.identity: (match.score, match.support, match.images) for match in before.matches}
        for match in after.matches:
            assert scores.get(match.identity, (match.score, match.support, match.images))[0] == match.score
        assert after.rerank is not None
        assert after.rerank.remarks == ()
        if not after.rerank.changed:
            assert replace(after, rerank=None) == before
        changed += after.rerank.changed
        best = max(match.score for match in before.matches)
        assert after.margin is not None
        assert (after.margin < 0) == (after.matches[0].score < best)
    assert changed


def test_a_budget_that_is_over_leaves_the_plain_answer(gallery: Gallery) -> None:
    answer = SearchEngine(gallery, None, rerank="expand", rerank_ms=1e-6).answer(VECTORS[:1], label="q")
    assert answer.rerank is not None
    assert answer.rerank.remarks == ("stopped at its time budget of 1e-06 ms after 0 identities",)
    plain = SearchEngine(gallery, None, rerank="none").answer(VECTORS[:1], label="q")
    assert replace(answer, rerank=None) == plain


def test_what_cannot_be_is_refused(gallery: Gallery) -> None:
    with pytest.raises(ConfigError, match="unknown re-ranking 'magic': use one of auto, none, expand"):
        SearchEngine(gallery, None, rerank="magic")
    with pytest.raises(ConfigError, match="cannot re-rank by patches: it looks at pictures, and here are embeddings"):
        SearchEngine(gallery, None, rerank="patches")
    with pytest.raises(ConfigError, match="rerank_ms must be above 0 milliseconds, got 0"):
        SearchEngine(gallery, None, rerank="expand", rerank_ms=0)
