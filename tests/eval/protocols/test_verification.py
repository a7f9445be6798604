"""The verification protocol against a loop over all pairs, and blocks of pairs against one block."""

import numpy as np
import oracles
import pytest
from placed_samples import at_angles, place, random_split

from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.metrics import tar_at_far
from nearid_search.eval.protocols import verification
from nearid_search.eval.protocols.verification import compare_verification, evaluate_verification
from nearid_search.similarity import Embeddings


def all_pairs(split: PlacedSamples, embeddings: Embeddings) -> tuple[list[float], list[float]]:
    """Scores of genuine and impostor pairs, one pair at a time."""
    views = list(zip(split.view_rows.tolist(), split.view_codes.tolist(), strict=True))
    genuine: list[float] = []
    impostors: list[float] = []
    for place_of, (row, code) in enumerate(views):
        for other, other_code in views[place_of + 1 :]:
            pair_score = float(oracles.score(embeddings[row], embeddings[other]))
            (genuine if code == other_code else impostors).append(pair_score)
        impostors += [float(oracles.score(embeddings[row], embeddings[other])) for other in split.distractor_rows]
    return genuine, impostors


@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed={seed}")
@pytest.mark.parametrize("dim", [2, 6])
def test_figures_are_those_of_a_loop_over_all_pairs(seed: int, dim: int) -> None:
    split, embeddings = random_split(seed, count=30, dim=dim)
    genuine, impostors = all_pairs(split, embeddings)
    found = evaluate_verification(split, embeddings, resamples=20)
    assert found.as_dict() == {"n_genuine": len(genuine), "n_impostors": len(impostors)}
    for rate in (0.01, 0.001):
        point = tar_at_far(np.array(genuine), np.array(impostors), rate)
        figure = found.figures[f"tar@far={rate}"]
        assert (figure.value, figure.n) == (point.value, len(genuine))
        assert found.accepted[f"tar@far={rate}"].tolist() == [score > point.threshold for score in genuine]


@pytest.mark.parametrize(("views", "pictures"), [(1, 1), (7, 3), (3, 50)])
def test_the_blocks_change_nothing(views: int, pictures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    split, embeddings = random_split(5, count=40, dim=3)
    whole = evaluate_verification(split, embeddings, resamples=20)
    monkeypatch.setattr(verification, "_VIEWS", views)
    monkeypatch.setattr(verification, "_PICTURES", pictures)
    parts = evaluate_verification(split, embeddings, resamples=20)
    assert parts.figures == whole.figures
    assert parts.n_impostors == whole.n_impostors


def test_a_rate_finer_than_the_impostors_is_refused_with_the_reason() -> None:
    split = place({"cup": [(0, {"flux": 2}), (1, {})], "jug": [(3, {}), (4, {})]})
    few = evaluate_verification(split, at_angles(0, 10, -10, 90, 91))
    assert few.n_impostors == 8
    assert few.figures["tar@far=0.01"].reason == "8 impostors cannot show a rate of 0.01: it takes 100 or more"
    assert np.isnan(few.accepted["tar@far=0.01"]).all()


def test_ties_with_impostors_lose() -> None:
    split = place({f"thing-{number}": [(2 * number, {}), (2 * number + 1, {})] for number in range(15)})
    collapsed = at_angles(*[0.0] * 30)
    assert evaluate_verification(split, collapsed).figures["tar@far=0.01"].value == 0


def test_without_pairs_or_impostors_the_reason_is_given() -> None:
    lone = evaluate_verification(place({"cup": [(0, {})], "jug": [(1, {})]}), at_angles(0, 20))
    assert lone.figures["tar@far=0.01"].reason == "no identity has two views"
    alone = evaluate_verification(place({"cup": [(0, {}), (1, {})]}), at_angles(0, 20))
    assert alone.figures["tar@far=0.001"].reason == "a rate of 0.001 cannot be set without impostors"


def test_two_encoders_are_compared_pair_by_pair() -> None:
    split, embeddings = random_split(6, count=40)
    _, others = random_split(7, count=40)
    first = evaluate_verification(split, embeddings)
    assert {each.p_value for each in compare_verification(first, first).values()} == {1}
    second = evaluate_verification(split, np.resize(others, embeddings.shape))
    found = compare_verification(first, second)["tar@far=0.01"]
    gap = first.figures["tar@far=0.01"].value - second.figures["tar@far=0.01"].value
    assert found.difference.value == pytest.approx(gap)
