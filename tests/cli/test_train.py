"""``nearid-search train`` as a script sees it."""

import json
from pathlib import Path

import numpy as np
import pytest
from training_sets import two_views, write_folder

pytest.importorskip("torch")

from nearid_search.cli.app import run
from nearid_search.encoder import IdentityEncoder
from nearid_search.onnx_encoder import OnnxEncoder

SETTINGS = """
epochs = 2
batch_size = 2
[head]
width = 16
num_heads = 2
num_probes = 1
mlp_dim = 16
out_dim = 8
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset and settings."""
    home = tmp_path_factory.mktemp("train")
    places = [("train", "a"), ("train", "b"), ("val", "c")]
    images = [image for number, place in enumerate(places) for image in two_views(*place, 100 * number)]
    write_folder(home / "dataset", images)
    (home / "train.toml").write_text(SETTINGS)
    return home


@pytest.fixture
def inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


def test_train_index_and_query(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "dataset", "--out", "head", "--config", "train.toml", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["out"] == "head"
    assert (report["images"], report["steps"], report["split_sizes"]["train"]) == (18, 2, 2)
    assert run(["index", "dataset/train", "--gallery", "g", "--head", "head", "--device", "cpu", "--json"]) == 0
    capsys.readouterr()
    assert run(["gallery", "info", "--gallery", "g", "--json"]) == 0
    assert report["head"] in json.loads(capsys.readouterr().out)["encoder"]
    assert run(["index", "dataset/train", "--gallery", "g", "--device", "cpu", "--json"]) == 0, (
        "with the gallery's head"
    )
    assert json.loads(capsys.readouterr().out)["added"] == 0
    assert run(["query", str(inside / "dataset/val/c/1/positive.png"), "--gallery", "g", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["matches"]


def test_an_option_goes_before_the_file_and_the_result_says_what_to_do_next(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside.is_dir()
    arguments = ["train", "dataset", "--out", "other", "--config", "train.toml", "--epochs", "3", "--seed", "4"]
    assert run([*arguments, "--features", "head/features"]) == 0
    captured = capsys.readouterr()
    assert "best after step" in captured.out
    assert "nearid-search index ./catalog --head other" in captured.out
    assert json.loads((inside / "other/head.json").read_text())["seed"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["dataset", "--config", "none.toml"], "none.toml cannot be read"),
        (["dataset", "--epochs", "0", "--config", "train.toml"], "epochs must be 1 or more, got 0"),
        (["dataset", "--backbone", "resnet-9000", "--config", "train.toml"], "resnet-9000"),
        (["dataset", "--out", "train.toml", "--config", "train.toml"], "cannot write to train.toml"),
    ],
)
def test_bad_input_gets_one_line(
    inside: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside.is_dir()
    assert run(["train", *arguments, "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_trained_head_is_exported(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "dataset", "--out", "exported", "--config", "train.toml", "--features", "f", "--json"]) == 0
    head = json.loads(capsys.readouterr().out)["head"]
    assert run(["models", "export", "exported", "--out", "encoder.onnx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["head_fingerprint"] == head
    picture = inside / "dataset/val/c/1/positive.png"
    encoder = IdentityEncoder.open(head=inside / "exported", device="cpu", dtype="float32")
    exported = OnnxEncoder(inside / "encoder.onnx")
    assert exported.fingerprint.startswith(f"{encoder.fingerprint}+onnx:")
    prepared = encoder.prepare(encoder.read(picture).pixels)[None]
    np.testing.assert_allclose(exported.encode_prepared(prepared), encoder.encode_prepared(prepared), atol=1e-4)
