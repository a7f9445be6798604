"""``nearid-search distractors`` as a script sees it."""

import json
from pathlib import Path

import pytest
from distractor_cases import copy_catalogue

pytest.importorskip("cv2")

from nearid_search.cli.app import run

FEW = ("kettle-green", "kettle-red", "vase-blue")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_catalogue(tmp_path / "catalog", FEW, views=1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dataset_is_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["distractors", "catalog", "--out", "d", "--mask-model", "saliency", "--size", "224", "--device", "cpu"]
    assert run([*arguments, "--dry-run"]) == 0
    assert "catalog: 3 identities (3 train, 0 val, 0 test), 3 views" in capsys.readouterr().out
    assert not (home / "d").exists()
    assert run([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert captured.err == ""
    assert (report["views"], report["single"], report["preview"]) == (3, 3, "d/preview.png")
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert "3 views are done already" in captured.err
    assert "look at d/preview.png before you train on it" in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["catalog", "--val", "0.6", "--test", "0.6"], "val and test must be shares"),
        (["catalog", "--masks", "none"], "none is no folder"),
        (["catalog", "--out", "catalog"], "catalog is not empty"),
    ],
)
@pytest.mark.usefixtures("home")
def test_bad_input_gets_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["distractors", *arguments]) == 1
    assert f"error: {message}" in capsys.readouterr().err
