"""The gallery asked about itself, against searches of galleries made for each question alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from embedding_files import write_embeddings
from embeddings import look_alikes
from made_galleries import make_gallery

from nearid_search.engine import SearchEngine
from nearid_search.eval.calibration_trials import Trials, ask_gallery, marked_rows
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.view_sample import choose_views
from nearid_search.ranking import rank_identities
from nearid_search.similarity import Rows

VECTORS, CODES = look_alikes(5, 40, 4)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("trials") / "gallery"
    # Some identities have one view: they are strangers only.
    kept = (CODES >= 8) | (np.unique(CODES, return_index=True)[1][CODES] == np.arange(len(CODES)))
    return SearchEngine(make_gallery(folder, VECTORS[kept], CODES[kept]), None)


def evidence_among(engine: SearchEngine, row: int | np.int64, searched: Rows) -> tuple[list[float], int]:
    """Search those rows alone: score, margin and agreement, and the identity found."""
    ranked = rank_identities(
        engine.backend, engine.rows.vectors[row : row + 1], engine.enrolled.codes, k=1, allowed=searched
    )
    best = ranked[0]
    margin = best.scores[0].astype(float) - ranked[1].scores[0].astype(float) if len(ranked) > 1 else np.nan
    return [
        float(best.scores[0]),
        margin,
        len(best.rows) / (engine.enrolled.codes[searched] == best.code).sum(),
    ], best.code


def only(trials: Trials, *, known: bool, whole: bool) -> np.ndarray:
    return np.flatnonzero((trials.known == known) & (trials.whole == whole))


def test_trials_are_searches_of_the_gallery_without_what_is_left_out(engine: SearchEngine) -> None:
    trials = ask_gallery(engine, queries=10_000, seed=3)
    everything = np.arange(len(engine.enrolled.codes))
    several = everything[engine.enrolled.num_views[engine.enrolled.codes] > 1]
    for rows, known, whole in ((several, True, False), (everything, False, False), (everything, False, True)):
        asked = only(trials, known=known, whole=whole)
        assert trials.identities[asked].tolist() == engine.enrolled.codes[rows].tolist()
        assert trials.right[asked].any() == known
    rng = np.random.default_rng(3)
    for chosen_before in (several, everything):
        choose_views(chosen_before, engine.enrolled.codes, 10_000, rng)
    spared = set(choose_views(several, engine.enrolled.codes, len(set(engine.enrolled.codes[several])), rng).tolist())
    assert sorted(engine.enrolled.codes[list(spared)]) == sorted(set(engine.enrolled.codes[several]))
    for number in range(0, len(several), 7):
        row, own = several[number], engine.enrolled.codes == engine.enrolled.codes[several[number]]
        searched = np.array([r for r in everything if r != row and (own[r] or r not in spared)])
        wanted, best = evidence_among(engine, row, searched)
        place = only(trials, known=True, whole=False)[number]
        np.testing.assert_array_equal(trials.evidence[place], wanted)
        assert trials.right[place] == (best == engine.enrolled.codes[row])
    for number in range(0, len(everything), 7):
        others = everything[engine.enrolled.codes != engine.enrolled.codes[number]]
        for whole, left in ((True, others), (False, np.array([r for r in others if r not in spared]))):
            place = only(trials, known=False, whole=whole)[number]
            np.testing.assert_array_equal(trials.evidence[place], evidence_among(engine, number, left)[0])


def test_known_things_cannot_be_told_by_their_number_of_views(engine: SearchEngine) -> None:
    """Where every identity has as many views, agreement has the same steps whoever asks."""
    trials = ask_gallery(engine, queries=10_000, seed=0)
    steps = [
        {round(float(share), 6) for share in trials.evidence[only(trials, known=known, whole=False), 2]}
        for known in (True, False)
    ]
    assert steps[0] == {0.333333, 0.666667, 1.0} == steps[1]


def test_fewer_queries_are_spread_over_the_identities() -> None:
    codes = np.repeat([0, 1, 2], [50, 2, 1])
    chosen = choose_views(np.arange(53), codes, 5, np.random.default_rng(1))
    assert np.bincount(codes[chosen]).tolist() == [2, 2, 1]
    assert len(choose_views(np.arange(53), codes, 100, np.random.default_rng(1))) == 53
    assert len(choose_views(np.empty(0, np.int64), codes, 3, np.random.default_rng(1))) == 0


def test_the_same_seed_asks_the_same(engine: SearchEngine) -> None:
    told: list[tuple[int, int]] = []
    first = ask_gallery(engine, queries=20, seed=4, on_asked=lambda done, total: told.append((done, total)))
    second, other = (ask_gallery(engine, queries=20, seed=seed) for seed in (4, 5))
    assert told[-1] == (60, 60)
    np.testing.assert_array_equal(first.evidence, second.evidence)
    assert first.identities.tolist() != other.identities.tolist()


@pytest.mark.parametrize(
    "column",
    [{"role": ["distractor", None, "positive"]}, {"distractor": pa.array([True, False, None])}],
    ids=["role", "flag"],
)
def test_marked_look_alikes_are_strangers_only(tmp_path: Path, column: dict[str, list[str | None]]) -> None:
    names = ["cup"] * 3 + [f"jug {n // 2}" for n in range(40)]
    (name, values), count = next(iter(column.items())), len(names)
    rest = pa.nulls(count - 3, values.type) if isinstance(values, pa.Array) else [None] * (count - 3)
    further = pa.concat_arrays([values, rest]) if isinstance(values, pa.Array) else [*values, *rest]
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {name: further}
    write_embeddings(tmp_path / "e.parquet", rng.normal(size=(count, 8)).astype(np.float32), names, **columns)
    import_embeddings(tmp_path / "e.parquet", gallery=tmp_path / "shop")
    engine = SearchEngine(Gallery.open(tmp_path / "shop"), None)
    marked = marked_rows(engine)
    assert [engine.enrolled.identity_at(row) for row in np.flatnonzero(marked).tolist()] == ["cup"]
    trials = ask_gallery(engine, queries=100, seed=0)
    assert not trials.marked[trials.known].any()
    (place,) = np.flatnonzero(trials.marked & trials.whole)
    # It stands under the identity it imitates: that one may answer, and would be a false match.
    (row,) = np.flatnonzero(marked)
    wanted, _ = evidence_among(engine, row, np.flatnonzero(~marked))
    np.testing.assert_array_equal(trials.evidence[place], wanted)
