"""Validation against loops that follow the definitions, and the alarms."""

import numpy as np
import pytest

from nearid_search.eval.protocols.pairs import pair_margins
from nearid_search.similarity import Embeddings, unit_rows
from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.validation import ValidationScores, validate


def random_samples(seed: int, count: int = 5) -> tuple[list[SampleRows], Embeddings]:
    """Identities with 1 to 3 views, some distractors missing."""
    rng = np.random.default_rng(seed)
    samples, row = [], 0
    for number in range(count):
        views = []
        for _ in range(int(rng.integers(1, 4))):
            sources = [name for name in ("recolour", "sibling") if rng.random() < 0.8]
            views.append(ViewRows(row, {name: row + 1 + place for place, name in enumerate(sources)}))
            row += 1 + len(sources)
        samples.append(SampleRows(f"thing-{number}", tuple(views)))
    return samples, unit_rows(rng.standard_normal((row, 6)))


def expected_margins(samples: list[SampleRows], embeddings: Embeddings) -> list[list[float]]:
    def score(one: int, other: int) -> float:
        return float(np.float32(np.dot(embeddings[one].astype(float), embeddings[other].astype(float))))

    found = []
    for sample in samples:
        for source in ("recolour", "sibling"):
            if not any(source in view.distractors for view in sample.views):
                continue
            found.append(
                sorted(
                    score(one.view, other.view) - score(one.view, one.distractors[source])
                    for one in sample.views
                    for other in sample.views
                    if one is not other and source in one.distractors
                )
            )
    return found


@pytest.mark.parametrize("seed", range(6), ids=lambda seed: f"seed={seed}")
def test_margins_follow_the_definition(seed: int) -> None:
    samples, embeddings = random_samples(seed)
    found = [sorted(row[~np.isnan(row)].tolist()) for row in pair_margins(samples, embeddings).margins]
    expected = expected_margins(samples, embeddings)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-7)


@pytest.mark.parametrize("seed", range(6), ids=lambda seed: f"seed={seed}")
def test_rank1_is_over_all_views_and_distractors(seed: int) -> None:
    samples, embeddings = random_samples(seed, count=8)
    owner = dict.fromkeys(range(len(embeddings)), "")
    owner |= {view.view: sample.identity for sample in samples for view in sample.views}
    hits = []
    for sample in samples:
        for view in sample.views if len(sample.views) > 1 else ():
            alike = {row: float(embeddings[row] @ embeddings[view.view]) for row in owner if row != view.view}
            hits.append(owner[max(alike, key=lambda row: alike[row])] == sample.identity)
    scores = validate(samples, embeddings)
    assert scores.n_queries == len(hits)
    assert scores.rank1 == pytest.approx(np.mean(hits))


@pytest.mark.parametrize("seed", range(6), ids=lambda seed: f"seed={seed}")
def test_grading_is_how_often_a_distractor_elsewhere_beats_another_thing(seed: int) -> None:
    samples, embeddings = random_samples(seed, count=6)
    shares = []
    for sample in samples:
        wins = [
            1.0 if near > far else 0.5 if near == far else 0.0
            for view in sample.views[1:]
            for row in view.distractors.values()
            for other in samples
            if other is not sample
            for near, far in [(embeddings[[row, other.views[0].view]] @ embeddings[sample.views[0].view]).tolist()]
        ]
        if wins:
            shares.append(sum(wins) / len(wins))
    assert validate(samples, embeddings).grading == pytest.approx(np.mean(shares))


@pytest.mark.parametrize(("distractor_angle", "grading"), [(0.3, 1.0), (2.0, 0.0), (1.0, 0.5)])
def test_grading_is_full_between_identity_and_others_and_nothing_beyond(
    distractor_angle: float, grading: float
) -> None:
    angles = [0.0, 0.1, distractor_angle, 1.0]
    embeddings = unit_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    samples = [
        SampleRows("thing", (ViewRows(0, {}), ViewRows(1, {"other": 2}))),
        SampleRows("another", (ViewRows(3, {}),)),
    ]
    assert validate(samples, embeddings).grading == grading


def test_alarms_name_what_happened() -> None:
    sound = ValidationScores(ssr=1, pa=1, rank1=1, grading=0.8, spread=0.2, n_samples=3, n_queries=6)
    fields = sound.as_dict()
    assert sound.alarm == ""
    assert "graded similarity is lost" in ValidationScores.from_dict({**fields, "grading": 0.01}).alarm
    assert "all things look alike" in ValidationScores.from_dict({**fields, "spread": 0.0}).alarm


def test_nothing_to_count_is_null_in_json_and_ranks_last() -> None:
    samples, embeddings = [SampleRows("one", (ViewRows(0, {}),))], unit_rows(np.ones((1, 3)))
    scores = validate(samples, embeddings)
    assert scores.as_dict()["ssr"] is None
    assert np.isnan(ValidationScores.from_dict(scores.as_dict()).ssr)
    assert scores.rank == (-1, -1, -1)
    assert scores.alarm == ""
