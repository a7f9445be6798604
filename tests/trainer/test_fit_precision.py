"""The training loop in each arithmetic: the losses are those of float32, and a stopped run goes on."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from toy_training import Run, make_store

from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.fit import StepReport

PRECISIONS = ("float32", "bfloat16", "float16")
CUDA = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
each_arithmetic = pytest.mark.parametrize(
    ("device", "precision"),
    [("cpu", name) for name in PRECISIONS] + [pytest.param("cuda:0", name, marks=CUDA) for name in PRECISIONS],
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return make_store(tmp_path_factory.mktemp("features") / "store", likeness=0, loudness=2)


def make_run(out: Path, store: FeatureStore, device: str, precision: str) -> Run:
    return Run(out, store, device=device, precision=precision)


def test_left_to_itself_the_cpu_takes_float32(store: FeatureStore, tmp_path: Path) -> None:
    assert Run(tmp_path / "a", store, precision="auto").fit.step(0) == Run(
        tmp_path / "b", store, precision="float32"
    ).fit.step(0)


@each_arithmetic
def test_the_first_step_is_that_of_float32(store: FeatureStore, tmp_path: Path, device: str, precision: str) -> None:
    expected = Run(tmp_path / "float32", store).fit.step(0)
    found = make_run(tmp_path / "other", store, device, precision).fit.step(0)
    tolerance = 1e-4 if precision == "float32" else 0.01
    for name in ("loss", "discrimination", "ranking"):
        assert found[name] == pytest.approx(expected[name], rel=tolerance)


@each_arithmetic
def test_a_stopped_run_learns_to_the_end(store: FeatureStore, tmp_path: Path, device: str, precision: str) -> None:
    def interrupt(report: StepReport) -> None:
        if report.step == 34:
            raise KeyboardInterrupt

    whole = make_run(tmp_path / "whole", store, device, precision)
    whole.go()
    with pytest.raises(KeyboardInterrupt):
        make_run(tmp_path / "stopped", store, device, precision).go(interrupt)
    resumed = make_run(tmp_path / "stopped", store, device, precision)
    resumed.go()
    losses = [entry["loss"] for entry in resumed.log()]
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert {parameter.dtype for parameter in resumed.head.parameters()} == {torch.float32}
    if device == "cpu":  # elsewhere sums may come in any order
        assert resumed.weights() == whole.weights()


def test_a_loss_scaled_too_high_passes_steps_over(store: FeatureStore, tmp_path: Path) -> None:
    run = make_run(tmp_path, store, "cpu", "float16")
    before = run.weights()
    step = run.fit.step(0)
    assert not np.isfinite(step["gradient_norm"])
    assert run.weights() == before
    run.go()
    assert run.weights() != before
    assert run.log()[0]["gradient_norm"] is None
