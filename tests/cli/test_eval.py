"""``nearid-search eval`` as a script sees it."""

import json
from pathlib import Path

import pytest
from small_heads import write_head
from training_sets import Drawn, file_name, two_views, write_folder

from nearid_search.cli.app import run
from nearid_search.encoder import IdentityEncoder
from nearid_search.shipped_heads import list_shipped_heads

IMAGES = [image for number, name in enumerate(["cup", "jug", "pan"]) for image in two_views("test", name, 100 * number)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, encoder: IdentityEncoder) -> Path:
    """A dataset and two heads."""
    home = tmp_path_factory.mktemp("eval")
    write_folder(home / "dataset", [*IMAGES, Drawn("test", "lid", 1, "positive", "", 900)])
    for seed in (1, 2):
        write_head(home / f"head-{seed}", encoder.backbone.spec, seed=seed)
    return home


@pytest.fixture
def inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


def test_json_is_one_object_with_head_and_frozen(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    arguments = ["eval", "dataset", "--head", "head-1", "--compare", "head-2", "--device", "cpu", "--json"]
    assert run(arguments) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    for readout in ("head", "frozen"):
        assert document[readout]["ssr"]["n"] == 6
        assert document[readout]["recall@1"]["n"] == 6
        assert document[readout]["counts"]["n_lone"] == 1
    assert document["command"] == "nearid-search eval dataset --split test --head head-1 --compare head-2 --seed 0"
    assert set(document["differences"]) == {"head - frozen", "head - other head"}


def test_tables_show_intervals_and_n_and_what_was_left_out(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = inside / "broken"
    masks = [Drawn("test", "cup", view, "mask", "", view) for view in (1, 2)]
    write_folder(broken, [*IMAGES, *masks, *two_views("test", "lid", 900)[:2]])
    (broken / file_name(IMAGES[1])).write_bytes(b"no picture")
    assert run(["eval", str(broken), "--head", "head-1", "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    for text in ("SSR", "R@10", "mean token", "frozen", "FNIR at FPIR 1 %", "flux, head", "head - frozen"):
        assert text in captured.out
    lines = [line.strip() for line in captured.out.splitlines()]
    first, second = (lines.index(next(line for line in lines if line.startswith(title))) for title in ("perc", "open"))
    beside = lines[first:second]
    assert any(line.startswith("frozen + mask *") for line in beside)
    star = "* leaves out 14 pictures that have no mask or could not be cut out by it"
    assert f"{star}: do not rank it against the other rows" in beside
    (left_out,) = (line for line in beside if line.startswith("left out: "))
    assert "1 distractors; 1 samples without a margin, in no SSR or PA; 1 identities" in left_out
    assert left_out.endswith("1 views that are their identity's only one, in no recall or mAP")
    assert "samples left out, for want of a margin: flux 1" in lines[second:]
    assert "26 pictures to embed" in captured.err
    assert captured.err.replace("\n", "").count(f"left out {broken / file_name(IMAGES[1])}") == 1


@pytest.mark.parametrize("head", ["none", "auto", ""], ids=["none", "auto", "left out"])
def test_a_word_stands_for_the_frozen_backbone_or_the_head_that_ships(
    inside: Path, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside.is_dir()
    given = ["--head", head] if head else []
    arguments = ["eval", "dataset", *given, "--backbone", "dinov2-small", "--no-masked", "--device", "cpu", "--json"]
    assert run(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["head"] is not None) == (head != "none" and "dinov2-small" in list_shipped_heads())
    assert document["frozen"]["ssr"]["n"] == 6
    assert f"--head {head or 'auto'} --backbone dinov2-small" in document["command"]


def test_the_html_file_holds_the_figures_and_the_command(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", "dataset", "--head", "head-1", "--device", "cpu", "--json", "--html", "report.html"]
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == "report: report.html\n"
    document = json.loads(captured.out)
    text = (inside / "report.html").read_text(encoding="utf-8")
    assert f"{100 * document['head']['map']['value']:.2f}" in text
    assert document["command"] in text
    assert run(arguments) == 1
    assert "report.html exists already" in capsys.readouterr().err
    (inside / "report.html").write_text("old")
    assert run([*arguments, "--force"]) == 0
    assert (inside / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_distractors_the_reason_stands_below_the_table(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(inside / "bare", [image for image in IMAGES if image.role == "positive"])
    assert run(["eval", "bare", "--device", "cpu"]) == 0
    assert "the split has no distractors, and SSR and PA compare" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["dataset", "--split", "val"], "dataset has no val split (it has test)"),
        (["dataset", "--split", "dev"], "split 'dev': expected train, val or test"),
        (["dataset", "--head", "nowhere"], "nowhere/head.json: cannot be read"),
        (["dataset", "--compare", "head-2", "--head", "none", "--backbone", "dinov2-small"], "give --head, too"),
        (["dataset", "--fillers", "nowhere"], "nowhere is no folder"),
        (["dataset", "--html", "nowhere/report.html"], "nowhere is no folder: give a file in"),
        (["dataset", "--html", "dataset"], "dataset exists already: give another name or --force"),
        (["dataset", "--seed", "-1"], "seed must be 0 or more, got -1"),
        (["dataset", "--backbone", "resnet-9000"], "resnet-9000"),
    ],
)
def test_bad_input_gets_one_line(
    inside: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside.is_dir()
    assert run(["eval", *arguments, "--device", "cpu", "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
