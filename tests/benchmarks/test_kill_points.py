"""Real processes, killed at one or two points each; ``benchmarks/kill_points.py`` does the same at sixty."""

from pathlib import Path

import numpy as np
import pytest
from kill_points import CASES, choose_points, summarize_trials
from killing.cases import Case
from killing.process import Point, can_count
from killing.shop import Shops
from killing.trial import Whole, differences, run_trial, run_whole

pytest.importorskip("faiss")
pytest.importorskip("fastapi")

# Of a whole run's changes.
SHARES = {"index": (0.3, 0.8), "merge": (0.6,), "tune": (0.6,), "serve": (0.3, 0.8), "migrate": (0.9,)}
KINDS = {case.name: case for case in CASES if case.name in SHARES}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Shops:
    return Shops(tmp_path_factory.mktemp("killed") / "shops")


@pytest.mark.slow
@pytest.mark.parametrize("case", KINDS.values(), ids=KINDS)
def test_a_killed_process_loses_nothing_that_it_acknowledged(case: Case, shops: Shops, tmp_path: Path) -> None:
    if not can_count():
        pytest.skip("changes cannot be counted here: there is no C compiler (cc)")
    whole = run_whole(case, shops, tmp_path / "whole")
    assert whole.done > 0
    assert whole.changes > 5
    for share in SHARES[case.name]:
        point = Point(change=round(share * whole.changes))
        trial = run_trial(case, point, whole, shops, tmp_path / f"{share}")
        assert trial.killed
        assert trial.faults == ()


def test_points_are_spread_over_changes_and_moments() -> None:
    whole = Whole({}, changes=30, seconds=2.0, done=1)
    points = choose_points(whole, 60, np.random.default_rng(0))
    changes = [point.change for point in points if point.change is not None]
    assert changes != sorted(changes) == list(range(1, 31)), "all that there are, in any order"
    moments = [point.seconds for point in points if point.seconds is not None]
    assert len(moments) == 30
    assert all(0 <= seconds < 2 for seconds in moments)
    fewer = [point.change for point in choose_points(whole, 30, np.random.default_rng(0)) if point.change]
    assert len(set(fewer)) == 20
    assert all(point.change is None for point in choose_points(Whole({}, 0, 2.0, 1), 9, np.random.default_rng(0)))


def test_what_is_lost_or_wrong_is_counted_and_named() -> None:
    whole = Whole({}, changes=30, seconds=2.0, done=1)
    survived = {"change": 3, "seconds": None, "killed": True, "done": 4, "lost": 2, "go_on_s": 1.0, "faults": ()}
    other = {**survived, "lost": 9, "faults": ("an image is gone",)}
    found = summarize_trials(whole, [survived, other, {**survived, "killed": False}])
    assert (found["points"], found["killed"], found["survived"], found["most_lost"]) == (3, 2, 1, 9)
    assert found["faults"] == [{"change": 3, "seconds": None, "faults": ("an image is gone",)}]
    assert differences({"images": [1, 2]}, {"images": [1, 3]}) == ["images differ: 3 instead of 2"]
    assert differences({"images": [1, 2]}, {"images": [1]}) == ["images differ: 1 instead of 2"]
