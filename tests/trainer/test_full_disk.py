"""A disk that fills up in the middle of a run: one clear line, nothing lost, and the run goes on once there is room."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import SmallDisk, small_disk
from toy_backbone import TOY_SPEC
from training_sets import two_views, write_folder

pytest.importorskip("torch")

import torch

from nearid_search.cli.app import run
from nearid_search.errors import FeatureStoreError, NearIDError, TrainingError, WeightsError
from nearid_search.trainer.checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.extract import ExtractProgress
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.fit import StepReport
from nearid_search.trainer.recipe import Listener, train
from nearid_search.trainer.run_log import LOG_NAME, RunLog

SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "batch_size": 2,
    "epochs": 6,
    "validate_every": 2,
    "learning_rate": 0.003,
    "head": {"width": 16, "num_heads": 2, "num_probes": 1, "mlp_dim": 16, "out_dim": 8},
    "codec": {"max_tokens": 16},
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", size=2**22) as disk:
        yield disk


def tokens_of(count: int) -> list[Any]:
    return [np.full((count, scale.num_tokens, scale.dim), 3, np.float32) for scale in TOY_SPEC.token_scales]


def test_a_store_keeps_what_it_had_and_goes_on(disk: SmallDisk) -> None:
    store = FeatureStore(disk.folder / "store", TOY_SPEC)
    store.append(["first", "second"], tokens_of(2))
    disk.fill()
    keys = [f"key-{number}" for number in range(1000)]
    with pytest.raises(FeatureStoreError, match=r"cannot write features to .*: No space left on device; 2 images are"):
        store.append(keys, tokens_of(1000))
    FeatureStore(disk.folder / "store", TOY_SPEC).verify()
    disk.free()
    store.append(keys, tokens_of(1000))
    again = FeatureStore(disk.folder / "store", TOY_SPEC)
    again.verify()
    assert again.rows(["first", "second", "key-999"]).tolist() == [0, 1, 1001]


def test_a_store_that_could_not_begin_begins_later(disk: SmallDisk) -> None:
    (disk.folder / "store").mkdir()
    disk.fill()
    with pytest.raises(FeatureStoreError, match=r"cannot write to .*store: No space left on device"):
        FeatureStore(disk.folder / "store", TOY_SPEC)
    disk.free()
    FeatureStore(disk.folder / "store", TOY_SPEC).append(["first"], tokens_of(1))


def log_until_full(disk: SmallDisk) -> None:
    with RunLog(disk.folder, step=2) as log:
        disk.fill()
        for step in range(3, 500):
            log.add(step, {"loss": 0.0})


def test_the_log_keeps_its_lines(disk: SmallDisk) -> None:
    with RunLog(disk.folder, step=0) as log:
        log.add(1, {"loss": 1.0})
        log.add(2, {"loss": 2.0})
    before = (disk.folder / LOG_NAME).read_bytes()
    disk.fill()
    with pytest.raises(TrainingError, match=r"cannot write .*train\.jsonl: No space left on device; the best head"):
        RunLog(disk.folder, step=2)
    assert (disk.folder / LOG_NAME).read_bytes() == before
    disk.free()
    with pytest.raises(TrainingError, match="No space left"):
        log_until_full(disk)
    assert (disk.folder / LOG_NAME).read_bytes().startswith(before)


def test_the_checkpoint_before_stays(disk: SmallDisk) -> None:
    head = torch.nn.Linear(100, 100)
    optimiser = torch.optim.AdamW(head.parameters())
    state = {"step": 3, "recipe": {}}
    save_checkpoint(disk.folder / CHECKPOINT_NAME, head, optimiser, state)
    disk.fill()
    with pytest.raises(TrainingError, match=r"cannot write .*checkpoint\.safetensors: No space left on device; the"):
        save_checkpoint(disk.folder / CHECKPOINT_NAME, head, optimiser, {**state, "step": 4})
    assert load_checkpoint(disk.folder / CHECKPOINT_NAME, head, optimiser, recipe={}) == state


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    places = [("train", "a"), ("train", "b"), ("val", "c")]
    images = [image for number, place in enumerate(places) for image in two_views(*place, 100 * number)]
    return write_folder(tmp_path_factory.mktemp("full") / "dataset", images)


@pytest.fixture(scope="module")
def whole(dataset: Path) -> Path:
    """The result of a run with room enough."""
    out = dataset.parent / "whole"
    train(TrainConfig.from_dict({"dataset": str(dataset), "out": str(out), **SETTINGS}))
    return out


def filler(disk: SmallDisk, place: int) -> tuple[Callable[[ExtractProgress], None], Callable[[StepReport], None]]:
    """Fill the disk after so many images, or so many steps."""

    def extracted(state: ExtractProgress) -> None:
        if state.done == place:
            disk.fill()

    def stepped(state: StepReport) -> None:
        if state.step == place:
            disk.fill()

    return extracted, stepped


@pytest.mark.parametrize(
    ("part", "place", "error", "message"),
    [
        ("extract", 8, FeatureStoreError, "No space left on device; 8 images are kept"),
        ("step", 1, WeightsError, r"the head cannot be written \(No space left on device\)"),
        ("step", 3, TrainingError, r"cannot write .*checkpoint\.safetensors: No space left on device"),
    ],
)
def test_a_run_ends_with_one_line_and_goes_on(
    disk: SmallDisk, dataset: Path, whole: Path, part: str, place: int, error: type[NearIDError], message: str
) -> None:
    out = disk.folder / "out"
    features = out / "features" if part == "extract" else whole / "features"
    config = TrainConfig.from_dict({"dataset": str(dataset), "out": str(out), "features": str(features), **SETTINGS})
    extracted, stepped = filler(disk, place)
    listener = Listener(on_extract=extracted) if part == "extract" else Listener(on_step=stepped)
    with pytest.raises(error, match=message) as caught:
        train(config, listener=listener)
    assert "\n" not in str(caught.value)
    disk.free()
    train(config)
    for name in ("head.safetensors", LOG_NAME):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_features_that_cannot_fit_are_refused_before_the_work(
    disk: SmallDisk, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = disk.folder / "train.toml"
    settings.write_text("".join(f"{name} = {json.dumps(SETTINGS[name])}\n" for name in ("batch_size", "epochs")))
    assert run(["train", str(dataset), "--out", str(disk.folder / "out"), "--config", str(settings), "--json"]) == 1
    captured = capsys.readouterr().err
    assert "the features of 18 images take 14.5 MB, but" in captured
    assert captured.count("\n") == 1
