"""``calibrate`` and what it changes of ``query`` and ``gallery info``, on the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_files import write_embeddings
from embeddings import look_alikes

from nearid_search.cli.app import run

VECTORS, CODES = look_alikes(7, 60, 5, offset=0.6, noise=0.4)
NAMES = [f"thing {code}" for code in CODES]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a gallery of imported embeddings, and questions: two things of it and a stranger."""
    write_embeddings(tmp_path / "e.parquet", VECTORS, NAMES)
    stranger = np.random.default_rng(1).normal(size=(1, VECTORS.shape[1])).astype(np.float32)
    for name, rows in (
        ("things", VECTORS[:2]),
        ("stranger", stranger),
        ("all", np.concatenate([VECTORS[:2], stranger])),
    ):
        write_embeddings(tmp_path / f"{name}.parquet", rows, None)
    assert run(["gallery", "import", str(tmp_path / "e.parquet"), "--gallery", str(tmp_path / ".nearid")]) == 0
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("inside")
def test_it_prints_what_it_stores_and_answers_carry_it(capsys: pytest.CaptureFixture[str]) -> None:
    (report,) = printed(capsys, "calibrate", "--fpir", "0.05", "--seed", "3")
    assert report["fpir"] == 0.05
    assert report["seed"] == 3
    assert report["known"] == report["strangers"] == 300
    (info,) = printed(capsys, "gallery", "info")
    assert info["calibration"]["current"]
    assert info["calibration"]["threshold"] == report["model"]["threshold"]
    answers = printed(capsys, "query", "--embeddings", "all.parquet")
    assert [answer["calibrated"] for answer in answers] == [True] * 3
    assert [answer["verdict"] for answer in answers] == ["match", "match", "unknown"]
    assert answers[0]["confidence"] > report["model"]["threshold"] >= 0.5 > answers[2]["confidence"]


@pytest.mark.usefixtures("inside")
def test_people_read_verdicts_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate"]) == 0
    captured = capsys.readouterr()
    assert "missed (FNIR)" in captured.out
    assert "n 300 of 60 identities" in captured.out
    assert run(["calibrate", "--fpir", "0.001"]) == 0
    assert "300 strangers cannot show a rate of 0.001: it takes 3,000" in " ".join(capsys.readouterr().err.split())
    assert run(["calibrate", "--fpir", "0.001"]) == 0
    assert "(they can show --fpir 0.01)" in " ".join(capsys.readouterr().err.split())
    assert run(["gallery", "info"]) == 0
    assert "fpir_claimed False" in capsys.readouterr().out
    assert run(["query", "--embeddings", "things.parquet"]) == 0
    shown = capsys.readouterr().out
    assert "confidence" in shown
    assert "provisional" not in shown


@pytest.mark.usefixtures("inside")
def test_the_exit_code_is_that_of_the_worst_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed(capsys, "calibrate", "--fpir", "0.05")
    printed(capsys, "query", "--embeddings", "things.parquet", "--exit-code")
    printed(capsys, "query", "--embeddings", "stranger.parquet", "--exit-code", code=3)
    printed(capsys, "query", "--embeddings", "all.parquet", "--exit-code", code=3)
    printed(capsys, "query", "--embeddings", "all.parquet")
    monkeypatch.setattr("nearid_search.verdict.EVEN_ODDS", 0.0)
    printed(capsys, "query", "--embeddings", "all.parquet", "--exit-code", code=4)


@pytest.mark.usefixtures("inside")
def test_what_cannot_be_calibrated_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_embeddings(tmp_path / "few.parquet", VECTORS[:30], [str(n) for n in range(30)])
    assert run(["gallery", "import", "few.parquet", "--gallery", "few"]) == 0
    write_embeddings(tmp_path / "three.parquet", VECTORS[:30], [str(n % 3) for n in range(30)])
    assert run(["gallery", "import", "three.parquet", "--gallery", "three"]) == 0
    for arguments, reason in (
        (["--gallery", "few"], "0 identities have two or more views, and it takes 20"),
        (["--gallery", "three"], "3 identities have two or more views, and it takes 20"),
        (["--gallery", "nowhere"], "nowhere"),
        (["--fpir", "2"], "fpir must be between 0 and 1"),
        (["--html", "no/folder.html"], "is no folder"),
    ):
        capsys.readouterr()
        assert run(["calibrate", *arguments]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert reason in captured.err
