"""``nearid-search agreement`` and ``score-pairs`` as a script sees them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from catalogues import draw
from rating_folders import METHODS, PROMPTS, change, human_file, score_file, write_ratings
from small_heads import write_head

from nearid_search.cli.app import run
from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.agreement import human_agreement
from nearid_search.eval.ratings import read_ratings
from nearid_search.head_file import read_head_manifest
from nearid_search.shipped_heads import list_shipped_heads

PUBLISHED = os.environ.get("NEARID_DREAMBENCH_DIR")
KEYS = {"m_h", "low", "high", "n", "n_clusters", "per_method", "per_group", "n_per_method", "n_missing", "missing"}
KEYS |= {"per_method_intervals", "missing_methods", "unrated_methods"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ratings(tmp_path / "ratings")


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run a command that must print one JSON value and nothing else."""
    assert run([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def error_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout."""
    assert run(list(arguments)) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_json_has_one_entry_a_scorer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(score_file(folder, "nearid", "emu2"), {f"{PROMPTS[0]}_0": None})
    found = json_of(capsys, "agreement", str(folder), "--category", "style")
    agreements = human_agreement(read_ratings(folder, category="style"))
    assert found == {scorer: agreement.as_dict() for scorer, agreement in agreements.items()}
    assert set(found) == {"nearid", "backbone"}
    assert set(found["nearid"]) == KEYS
    assert found["nearid"]["missing"] == [{"method": "emu2", "prompt": PROMPTS[0], "absent": ["nearid"]}]
    assert (found["nearid"]["n_missing"], found["nearid"]["n"], found["backbone"]["n"]) == (1, 23, 24)


def test_the_table_has_every_method_and_the_total(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agreements = human_agreement(read_ratings(folder, category="style"))
    assert run(["agreement", str(folder), "--category", "style"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    rows = {
        line.split("│")[0].strip(): [cell.strip() for cell in line.split("│")[1:]] for line in captured.out.split("\n")
    }
    for method in METHODS:
        figures = [agreements[scorer].methods[method] for scorer in ("backbone", "nearid")]
        assert rows[method] == [f"{each.value:.3f} [{each.low:.2f}, {each.high:.2f}]" for each in figures]
    assert rows["M-H"] == [f"{agreements[scorer].m_h.value:.3f}" for scorer in ("backbone", "nearid")]
    assert rows["scores counted"] == ["24", "24"]
    assert not rows.keys() & {"prompts left out", "methods not scored", "methods not rated"}
    assert "cannot be ranked" not in captured.out


def test_what_is_missing_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(human_file(folder, "group1", "emu2"), {PROMPTS[3]: None})
    score_file(folder, "nearid", "dreambooth_sd").rename(score_file(folder, "nearid", "flux"))
    (folder / "figures").mkdir()
    assert run(["agreement", str(folder), "--category", "style"]) == 0
    out, err = capsys.readouterr()
    rows = {line.split("│")[0].strip(): "".join(line.split()) for line in out.split("\n")}
    assert rows["prompts left out"].endswith("│1│1")
    assert rows["methods not scored"].endswith("│0│1")
    assert rows["methods not rated"].endswith("│0│1")
    assert "their M-H cannot be ranked" in out
    assert f"nearid: 1 prompts left out: emu2 {PROMPTS[3]} (not in group1)" in err
    assert f"backbone: 1 prompts left out: emu2 {PROMPTS[3]} (not in group1)" in err
    assert "nearid: 1 methods not scored: dreambooth_sd" in err
    assert "nearid: 1 methods not rated: flux" in err
    assert "no scorers, as they hold no JSON file: figures" in err


def test_as_many_prompts_need_not_be_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for scorer, prompt in (("nearid", PROMPTS[0]), ("backbone", PROMPTS[1])):
        change(score_file(folder, scorer, "emu2"), {f"{prompt}_0": None})
    assert run(["agreement", str(folder), "--category", "style"]) == 0
    assert "their M-H cannot be ranked" in capsys.readouterr().out
    change(
        score_file(folder, "nearid", "emu2"), {f"{PROMPTS[0]}_0": 1.5, f"{PROMPTS[1]}_0": None, "style_09_new-0_0": 3}
    )
    assert run(["agreement", str(folder), "--category", "style"]) == 0
    assert "cannot be ranked" not in capsys.readouterr().out


def test_bad_ratings_get_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "its categories are live_subject_human, style" in error_line(capsys, "agreement", str(folder), "--json")
    assert "merged_data is missing" in error_line(capsys, "agreement", str(tmp_path / "nowhere"), "--json")
    change(human_file(folder, "group1", "emu2"), {PROMPTS[0]: float("nan")})
    line = error_line(capsys, "agreement", str(folder), "--category", "style")
    assert f"1 of 16 values are no finite numbers: {PROMPTS[0]} is NaN" in line


def test_pairs_are_scored_and_then_held_against_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = folder.parent
    rows = ["reference,generated,method,prompt"]
    for seed, method in enumerate(METHODS):
        for number, prompt in enumerate(PROMPTS[:4]):
            draw(home / f"{number}.png", number // 3)
            draw(home / f"{method}-{number}.png", 100 * seed + number)
            rows.append(f"{number}.png,{method}-{number}.png,{method},{prompt}")
    complete = list(rows)
    draw(home / "lost.png", 1)
    rows.append(f"lost.png,nowhere.png,emu2,{PROMPTS[4]}")
    (home / "pairs.csv").write_text("\n".join(rows) + "\n")
    out = folder / "data_ours_rating"
    arguments = ["score-pairs", str(home / "pairs.csv"), "--out", str(out), "--device", "cpu"]
    report = json_of(capsys, *arguments)
    assert (report["out"], report["pairs"], report["scored"]) == (str(out), 9, 8)
    assert report["failures"] == [{"path": str(home / "nowhere.png"), "error": "no such file"}]
    counts = {name: (mean["n"], mean["n_clusters"]) for name, mean in report["methods"].items()}
    assert counts == dict.fromkeys(METHODS, (4, 2))
    assert {name: mean["n_left_out"] for name, mean in report["methods"].items()} == {"emu2": 1, "dreambooth_sd": 0}
    found = json_of(capsys, "agreement", str(folder), "--category", "style")
    assert (found["ours"]["n"], found["ours"]["n_missing"]) == (8, 16)

    assert "already: give another folder or --force" in error_line(capsys, *arguments)
    assert run([*arguments, "--force"]) == 0
    captured = capsys.readouterr()
    assert f"cannot read {home / 'nowhere.png'}: no such file" in captured.err
    assert "8 of 9 pairs scored by" in captured.err
    shown = {line.split("│")[0].strip(): "".join(line.split()) for line in captured.out.split("\n")}
    assert shown["emu2"].endswith("│4│2│1")
    assert "their means cannot be ranked" in captured.out
    (home / "pairs.csv").write_text("\n".join(complete) + "\n")
    assert run([*arguments, "--force"]) == 0
    assert "cannot be ranked" not in capsys.readouterr().out


def test_pairs_are_scored_with_the_head_that_is_named(
    tmp_path: Path, encoder: IdentityEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 2):
        draw(tmp_path / f"{seed}.png", seed)
    (tmp_path / "pairs.csv").write_text("reference,generated\n1.png,2.png\n")
    folder = tmp_path / "head"
    head = write_head(folder, encoder.backbone.spec)
    shipped = list_shipped_heads().get("dinov2-small")
    automatic = "frozen" if shipped is None else read_head_manifest(shipped).fingerprint
    for number, (given, readout) in enumerate(
        [(["--head", "none"], "frozen"), (["--head", "auto"], automatic), ([], automatic)]
    ):
        backbone = ["--backbone", "dinov2-small", "--device", "cpu", "--out", str(tmp_path / f"out-{number}")]
        found = json_of(capsys, "score-pairs", str(tmp_path / "pairs.csv"), *given, *backbone)
        assert found["encoder"] == f"{encoder.backbone.spec.fingerprint}+{readout}"
    own = ["--head", str(folder), "--device", "cpu", "--out", str(tmp_path / "out")]
    found = json_of(capsys, "score-pairs", str(tmp_path / "pairs.csv"), *own)
    assert found["encoder"] == f"{encoder.backbone.spec.fingerprint}+{head.fingerprint}"


def test_bad_pairs_get_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--json", "--device", "cpu"]
    assert "does not exist: expected <method>/src_image" in error_line(
        capsys, "score-pairs", str(tmp_path / "nowhere"), *arguments
    )
    (tmp_path / "pairs.csv").write_text("reference,generated\na.png,b.png\n")
    assert "none of 1 pairs could be scored" in error_line(
        capsys, "score-pairs", str(tmp_path / "pairs.csv"), *arguments
    )
    assert not out.exists()


@pytest.mark.skipif(not PUBLISHED, reason="NEARID_DREAMBENCH_DIR does not say where the published ratings are")
def test_the_published_figures(capsys: pytest.CaptureFixture[str]) -> None:
    found = json_of(capsys, "agreement", str(PUBLISHED), "--category", "style")
    assert {scorer: round(agreement["m_h"], 3) for scorer, agreement in found.items()} == {
        "nearid": 0.349,
        "backbone": 0.441,
    }
