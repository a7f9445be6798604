"""The open-set protocol against loops that follow its definition, and what its impostors are."""

import numpy as np
import oracles
import pytest
from placed_samples import at_angles, place, random_split

from nearid_search.errors import ShapeError
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.metrics import dir_at_far, fnir_at_fpir
from nearid_search.eval.protocols.open_set import compare_open_set, evaluate_open_set
from nearid_search.similarity import unit_rows


def test_trials_follow_the_definition() -> None:
    split, embeddings = random_split(1, count=9)
    result = evaluate_open_set(split, embeddings, folds=3, seed=5)
    parts = np.array_split(np.random.default_rng(5).permutation(9), 3)
    expected = []
    for held in parts:
        enrolled = {row: code for row, code in views_of(split) if code not in held}
        distractors: dict[int, int] = {}
        for code, sample in enumerate(split.rows):
            for view in sample.views if code not in held else ():
                for row in view.distractors.values():
                    distractors.setdefault(row, code)
        for row, code in views_of(split):
            gallery = {other: own for other, own in enrolled.items() if other != row}
            best = max(gallery, key=lambda other: float(oracles.score(embeddings[row], embeddings[other])))
            score = float(oracles.score(embeddings[row], embeddings[best]))
            if code in held:
                expected.append((score, False, False, False, code))
            elif code in gallery.values():
                expected.append((score, True, gallery[best] == code, False, code))
        for row, code in distractors.items():
            best_score = max(float(oracles.score(embeddings[row], embeddings[other])) for other in enrolled)
            expected.append((best_score, False, False, True, code))
    trials = result.trials
    found = zip(
        *(getattr(trials, name).tolist() for name in ("scores", "mated", "right", "near", "codes")), strict=True
    )
    assert sorted(found) == sorted(expected)
    assert (result.n_mated, result.n_impostors) == (sum(e[1] for e in expected), sum(not e[1] for e in expected))
    assert result.n_near == sum(e[3] for e in expected)


def views_of(split: PlacedSamples) -> list[tuple[int, int]]:
    return list(zip(split.view_rows.tolist(), split.view_codes.tolist(), strict=True))


def test_fnir_is_the_metric_of_all_trials() -> None:
    split, embeddings = random_split(2, count=60)
    result = evaluate_open_set(split, embeddings, resamples=50)
    trials = result.trials
    point = fnir_at_fpir(trials.scores[trials.mated], trials.right[trials.mated], trials.scores[~trials.mated], 0.01)
    figure = result.figures["fnir@fpir=0.01"]
    assert (figure.value, figure.n) == (point.value, result.n_mated)
    assert figure.low <= figure.value <= figure.high
    genuine = trials.scores[trials.mated], trials.right[trials.mated]
    detected = dir_at_far(*genuine, trials.scores[~trials.mated], 0.01)
    opposite = result.figures["dir@far=0.01"]
    assert opposite.value == pytest.approx(detected.value)
    assert (opposite.low, opposite.high) == pytest.approx((1 - figure.high, 1 - figure.low))
    threshold = result.thresholds["fpir=0.01"]
    assert (threshold.score, threshold.achieved) == (point.threshold, point.achieved)
    held = ~trials.mated & ~trials.near
    for kind, found in ((trials.near, threshold.achieved_near), (held, threshold.achieved_held)):
        assert (found.value, found.n) == ((trials.scores[kind] > point.threshold).mean(), kind.sum())
        assert found.n_clusters == len(np.unique(trials.codes[kind]))
        assert found.low <= found.value <= found.high
    document = result.as_dict()["thresholds"]["fpir=0.01"]
    assert document["achieved_near"]["value"] == threshold.achieved_near.value
    assert set(document) == {"score", "achieved", "achieved_near", "achieved_held"}


def test_a_rate_finer_than_the_impostors_is_refused_with_the_reason() -> None:
    split, embeddings = random_split(3, count=10)
    result = evaluate_open_set(split, embeddings, resamples=20)
    assert result.figures["fnir@fpir=0.001"].as_dict()["value"] is None
    assert "cannot show a rate of 0.001: it takes 1,000 or more" in result.figures["fnir@fpir=0.001"].reason
    assert "fpir=0.001" not in result.thresholds


def test_a_distractor_that_shows_another_identity_is_no_impostor() -> None:
    split = place({"cup": [(0, {"look-alike": 2}), (1, {"flux": 4})], "jug": [(2, {}), (3, {})]})
    result = evaluate_open_set(split, at_angles(0, 20, 40, 60, 80), folds=2)
    assert (result.n_near, result.n_shown) == (1, 2)
    assert (result.n_mated, result.n_impostors) == (4, 5)


def test_a_tie_between_right_and_wrong_is_wrong() -> None:
    split = place({"cup": [(0, {}), (1, {})], "jug": [(2, {}), (3, {})], "pan": [(4, {}), (5, {})]})
    trials = evaluate_open_set(split, at_angles(0, 20, -20, -90, 180, 181), folds=3).trials
    assert trials.codes[trials.mated].tolist().count(0) == 4
    # Each of cup's views is searched with jug enrolled once: the first ties with it, the second does not.
    right = trials.right[trials.mated & (trials.codes == 0)].tolist()
    assert sorted(right) == [False, True, True, True]


def test_two_encoders_are_compared_on_the_same_resamples() -> None:
    split, embeddings = random_split(2, count=60)
    noisy = unit_rows(embeddings + np.random.default_rng(0).normal(scale=0.3, size=embeddings.shape))
    first, second = (evaluate_open_set(split, each, resamples=50) for each in (embeddings, noisy))
    found = compare_open_set(first, second, resamples=200)
    for name in ("fnir@fpir=0.01", "dir@far=0.01"):
        gap = first.figures[name].value - second.figures[name].value
        assert found[name].difference.value == pytest.approx(gap)
        assert found[name].difference.low <= gap <= found[name].difference.high
        assert found[name].difference.n == first.n_mated
    assert found["fnir@fpir=0.01"].p_value == found["dir@far=0.01"].p_value
    assert found["fnir@fpir=0.001"].difference.reason == first.figures["fnir@fpir=0.001"].reason != ""
    same = compare_open_set(first, first, resamples=20)["fnir@fpir=0.01"]
    assert (same.difference.low, same.difference.value, same.difference.high, same.p_value) == (0, 0, 0, 1)
    with pytest.raises(ShapeError, match="same split, folds and seed"):
        compare_open_set(first, evaluate_open_set(split, embeddings, resamples=5, seed=1))


def test_one_identity_leaves_nothing_to_search() -> None:
    result = evaluate_open_set(place({"cup": [(0, {}), (1, {})]}), at_angles(0, 20))
    assert result.figures["fnir@fpir=0.01"].reason == "no mated search"
    assert (result.folds, result.n_mated, result.n_impostors) == (1, 0, 0)


def test_single_views_are_counted_once_for_each_fold_that_enrols_them() -> None:
    split = place({"cup": [(0, {}), (1, {})], "jug": [(2, {})], "pan": [(3, {}), (4, {})]})
    result = evaluate_open_set(split, at_angles(0, 20, 40, 60, 80), folds=3)
    assert (result.n_lone, result.n_mated, result.n_impostors) == (2, 8, 5)


def test_one_fold_is_no_hold_out() -> None:
    with pytest.raises(ValueError, match="folds must be at least 2, got 1"):
        evaluate_open_set(place({"cup": [(0, {})]}), at_angles(0), folds=1)


def test_the_seed_decides_the_folds() -> None:
    split, embeddings = random_split(4, count=20)
    first, again, other = (evaluate_open_set(split, embeddings, seed=seed, resamples=5) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.trials.scores, again.trials.scores)
    assert first.trials.scores.tolist() != other.trials.scores.tolist()
