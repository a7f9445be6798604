"""A training process that is killed anywhere ends, when it is run again, with the head it would have had."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from training_sets import two_views, write_folder

pytest.importorskip("torch")

from nearid_search.head_file import load_head

SETTINGS = {
    "batch_size": 2,
    "epochs": 6,
    "validate_every": 3,
    "learning_rate": 0.003,
    "head": {"width": 16, "num_heads": 2, "num_probes": 1, "mlp_dim": 16, "out_dim": 8},
}
PROGRAM = """
import json, os, signal, sys
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.recipe import Listener, train
settings, part, place = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def die(name):
    def on(state):
        if name == part and (state.done if name == "extract" else state.step) >= place:
            os.kill(os.getpid(), signal.SIGKILL)
    return on
report = train(TrainConfig.from_dict(settings), listener=Listener(on_extract=die("extract"), on_step=die("step")))
print(report.head)
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    places = [("train", "a"), ("train", "b"), ("train", "c"), ("train", "d"), ("val", "e"), ("val", "f")]
    images = [image for number, place in enumerate(places) for image in two_views(*place, 100 * number)]
    return write_folder(tmp_path_factory.mktemp("killed") / "dataset", images)


def run(dataset: Path, out: Path, part: str = "", place: int = 0) -> subprocess.CompletedProcess[str]:
    settings = json.dumps({"dataset": str(dataset), "out": str(out), **SETTINGS})
    command = [sys.executable, "-c", PROGRAM, settings, part, str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def whole(dataset: Path) -> Path:
    """The result of a run that nothing stopped."""
    out = dataset.parent / "whole"
    assert run(dataset, out).returncode == 0
    return out


@pytest.mark.slow
def test_killed_and_run_again(dataset: Path, whole: Path, tmp_path: Path) -> None:
    """While features are cached, before the first checkpoint, and after it."""
    out = tmp_path / "out"
    for part, place in (("extract", 8), ("step", 1), ("step", 11)):
        assert run(dataset, out, part, place).returncode == -signal.SIGKILL
    again = run(dataset, out)
    assert again.returncode == 0, again.stderr
    assert load_head(out).fingerprint == load_head(whole).fingerprint
    assert (out / "train.jsonl").read_text() == (whole / "train.jsonl").read_text()
    assert (out / "features/tokens-0.bin").read_bytes() == (whole / "features/tokens-0.bin").read_bytes()
