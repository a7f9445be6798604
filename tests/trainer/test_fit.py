"""The training loop on generated tokens: it learns, resumes bit for bit and stops when the loss is no number."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from toy_training import HEAD, NUM_THINGS, VIEWS, Run, make_store, samples

from nearid_search.errors import TrainingError
from nearid_search.head import MapHead
from nearid_search.trainer.checkpoint import CHECKPOINT_NAME
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.dataset_rows import SampleRows
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.fit import HeadFit, StepReport
from nearid_search.trainer.losses import nearid_loss
from nearid_search.trainer.run_log import TENSORBOARD_FOLDER
from nearid_search.trainer.sampler import BatchSampler
from nearid_search.trainer.schedule import learning_rate


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """Backgrounds are loud, and distractors are any other thing."""
    return make_store(tmp_path_factory.mktemp("features") / "store", likeness=0, loudness=2)


@pytest.fixture(scope="module")
def whole(store: FeatureStore, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("whole"), store)
    run.go()
    return run


def test_the_loss_falls_and_every_step_is_in_the_log(whole: Run) -> None:
    log = whole.log()
    assert [entry["step"] for entry in log] == list(range(1, 61))
    losses = [entry["loss"] for entry in log]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert [entry["step"] for entry in log if "ssr" in entry] == [10, 20, 30, 40, 50, 60]


def test_the_best_head_by_validation_is_kept(whole: Run) -> None:
    ranks = {step: scores.rank for step, scores in whole.kept}
    assert list(ranks.values()) == sorted(set(ranks.values()))
    best = max(entry["ssr"] for entry in whole.log() if "ssr" in entry)
    assert whole.kept[-1][1].ssr == best


@pytest.mark.parametrize("stop", [1, 10, 34, 59], ids=lambda stop: f"stop={stop}")
def test_a_run_that_was_stopped_ends_with_the_same_weights(
    whole: Run, store: FeatureStore, tmp_path: Path, stop: int
) -> None:
    def interrupt(report: StepReport) -> None:
        if report.step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path / "out", store).go(interrupt)
    resumed = Run(tmp_path / "out", store)
    steps: list[int] = []
    result = resumed.go(lambda report: steps.append(report.step))
    assert steps == list(range(stop // 10 * 10 + 1, 61))
    assert resumed.weights() == whole.weights()
    assert resumed.log() == whole.log()
    assert result.best_step == whole.kept[-1][0]


def test_a_run_on_variants_differs_and_resumes_bit_for_bit(whole: Run, store: FeatureStore, tmp_path: Path) -> None:
    # The other views of an identity stand in for variants of each.
    rows = np.arange(2 * VIEWS * NUM_THINGS).reshape(NUM_THINGS, VIEWS, 2).transpose(0, 2, 1).reshape(-1, VIEWS)
    variants = {int(row): family for family in rows for row in family}
    # Validation must take the images themselves: no such row could be read.
    variants |= {row: np.array([10**6]) for sample in samples(8, NUM_THINGS) for row in sample.rows()}
    straight = Run(tmp_path / "straight", store, variants)
    straight.go()
    assert straight.weights() != whole.weights()

    def interrupt(report: StepReport) -> None:
        if report.step == 34:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path / "out", store, variants).go(interrupt)
    resumed = Run(tmp_path / "out", store, variants)
    resumed.go()
    assert resumed.weights() == straight.weights()
    assert resumed.log() == straight.log()


@pytest.mark.parametrize(
    "settings",
    [{"hard_negatives": 0.5}, {"every_view": True}, {"keep_tokens": 0.6}],
    ids=lambda settings: next(iter(settings)),
)
def test_a_run_with_other_batches_differs_and_resumes_bit_for_bit(
    store: FeatureStore, tmp_path: Path, settings: dict[str, Any]
) -> None:
    def interrupt(report: StepReport) -> None:
        if report.step == 17:
            raise KeyboardInterrupt

    straight = Run(tmp_path / "whole", store, **settings, epochs=12)
    straight.go()
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path / "stopped", store, **settings, epochs=12).go(interrupt)
    resumed = Run(tmp_path / "stopped", store, **settings, epochs=12)
    resumed.go()
    assert resumed.weights() == straight.weights()
    plain = Run(tmp_path / "plain", store, epochs=12)
    plain.go()
    assert plain.weights() != straight.weights()


@pytest.mark.parametrize("every", [False, True])
def test_every_view_averages_the_loss_over_its_batches(store: FeatureStore, tmp_path: Path, *, every: bool) -> None:
    run = Run(tmp_path / "run", store, every_view=True, loss={"every_distractor": every})
    drawn = BatchSampler(
        samples(0, 8), batch_size=4, max_positives=2, max_distractors=3, seed=run.config.seed, every_view=True
    )
    losses = []
    for batch in drawn.batches(0):
        anchors, positives, distractors = (
            run.head([torch.from_numpy(scale) for scale in store.tokens(slot.ravel().clip(0))]).reshape(*slot.shape, -1)
            for slot in (batch.anchors, batch.positives, batch.distractors)
        )
        loss = nearid_loss(
            anchors,
            positives,
            distractors,
            positive_mask=torch.from_numpy(batch.positives >= 0),
            distractor_mask=torch.from_numpy(batch.distractors >= 0),
            every_distractor=every,
        )
        losses.append(float(loss.total.detach()))
    assert len(losses) == 3
    assert run.fit.step(0)["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_finished_run_does_nothing_more(whole: Run, store: FeatureStore) -> None:
    again = Run(whole.out, store)
    assert again.go(lambda _: pytest.fail("a step was done")).best_step == whole.kept[-1][0]
    assert again.weights() == whole.weights()


def test_a_checkpoint_of_other_settings_is_refused(whole: Run, store: FeatureStore) -> None:
    other = Run(whole.out, store, learning_rate=0.02, loss={"alpha": 0.1})
    before = other.weights()
    with pytest.raises(TrainingError, match="a run that differs in learning_rate, loss: delete it, or give another"):
        other.go()
    assert other.weights() == before


def test_a_damaged_checkpoint_is_refused(whole: Run, store: FeatureStore, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_NAME).write_bytes((whole.out / CHECKPOINT_NAME).read_bytes()[:-1])
    with pytest.raises(TrainingError, match=r"cannot be resumed .* delete it"):
        Run(tmp_path, store).go()


def test_nan_stops_with_the_step_and_what_was_saved_before_stays(
    whole: Run, store: FeatureStore, tmp_path: Path
) -> None:
    run = Run(tmp_path, store)

    def poison(report: StepReport) -> None:
        if report.step == 15:
            torch.nn.init.constant_(run.head.probes, math.nan)

    message = r"^the loss is nan at step 16: lower learning_rate \(now 0\.01\); the best head so far is kept$"
    with pytest.raises(TrainingError, match=message):
        run.go(poison)
    assert run.log() == whole.log()[:15]
    assert run.kept == whole.kept[:1]
    again = Run(tmp_path, store)
    again.go()
    assert again.weights() == whole.weights()


def test_a_rate_that_is_too_high_stops_with_the_step(store: FeatureStore, tmp_path: Path) -> None:
    run = Run(tmp_path, store, learning_rate=1e30, warmup_steps=0, clip_norm=1e30, validate_every=1)
    with pytest.raises(TrainingError, match=r"(nan|inf|no numbers) at step \d+.*: lower learning_rate"):
        run.go()
    assert all(math.isfinite(entry["loss"]) for entry in run.log())


def test_a_collapse_is_named_in_the_log_and_in_the_result(store: FeatureStore, tmp_path: Path) -> None:
    def interrupt(report: StepReport) -> None:
        if report.step == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path, store, epochs=10, loss={"alpha": 0.0}).go(interrupt)
    run = Run(tmp_path, store, epochs=10, loss={"alpha": 0.0})
    alarms = run.go().alarms
    assert [alarm.partition(" (")[0] for alarm in alarms] == [
        "step 10: graded similarity is lost",
        "step 20: graded similarity is lost",
    ]
    assert [f"step {entry['step']}: {entry['alarm']}" for entry in run.log() if "alarm" in entry] == list(alarms)


def test_a_head_to_which_all_things_look_alike_is_named(store: FeatureStore, tmp_path: Path) -> None:
    run = Run(tmp_path, store, epochs=5, learning_rate=1e-12)
    assert run.head.output is not None
    torch.nn.init.zeros_(run.head.output.weight)
    torch.nn.init.ones_(run.head.output.bias)
    (alarm,) = run.go().alarms
    assert alarm.startswith("step 10: all things look alike to the head (spread of scores 0.0000)")


def test_a_head_that_keeps_its_grades_raises_no_alarm(tmp_path: Path) -> None:
    similar = make_store(tmp_path / "store", likeness=0.8, loudness=0.3)
    assert Run(tmp_path / "out", similar).go().alarms == ()


def test_too_little_to_learn_from(store: FeatureStore, tmp_path: Path) -> None:
    config = TrainConfig(dataset="x", out=str(tmp_path))

    def fit(train: list[SampleRows], val: list[SampleRows]) -> HeadFit:
        return HeadFit(MapHead(HEAD), store, train, val, config, device="cpu", out=tmp_path, save_best=lambda *_: None)

    with pytest.raises(TrainingError, match="1 identities of the train split"):
        fit(samples(0, 1), samples(8, 10))
    with pytest.raises(TrainingError, match="no identity of the val split"):
        fit(samples(0, 4), [])


def test_tensorboard_is_told_what_the_log_is(store: FeatureStore, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = Run(tmp_path, store, epochs=5, tensorboard=True)
    run.go()
    events = accumulator.EventAccumulator(str(tmp_path / TENSORBOARD_FOLDER)).Reload()
    for name in ("loss", "learning_rate", "ssr", "grading"):
        logged = [(entry["step"], pytest.approx(entry[name])) for entry in run.log() if name in entry]
        assert [(event.step, event.value) for event in events.Scalars(name)] == logged


@pytest.mark.parametrize("loss", ["info_nce", "supcon"])
def test_the_other_objectives_run(store: FeatureStore, tmp_path: Path, loss: str) -> None:
    run = Run(tmp_path, store, loss={"name": loss}, epochs=2)
    assert run.go().steps == 4


def test_the_rate_rises_and_falls() -> None:
    config = TrainConfig(dataset="x", out="y", learning_rate=2.0, warmup_steps=10)
    rates = [learning_rate(step, 110, config) for step in range(110)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == 2.0
    assert rates[60] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001
    assert learning_rate(0, 1, config) == 2.0
