"""The command line as a script sees it: exit codes, one-line messages, stable JSON."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from catalogues import MakeCatalogue, draw

from nearid_search.backbones.registry import resolve_dtype
from nearid_search.cli.app import run
from nearid_search.cli.calibrate import calibrate as calibrate_command
from nearid_search.cli.gallery import tune as tune_command
from nearid_search.cli.index import index as index_command
from nearid_search.cli.query import query as query_command
from nearid_search.config import AnnConfig, CalibrateConfig, EncoderConfig, IndexConfig, QueryConfig, TuneConfig
from nearid_search.indexer.lock import writer_lock

COMMANDS = [["index"], ["query"], ["train"], ["models"], ["models", "import"], ["gallery", "info"], ["gallery", "list"]]
COMMANDS += [
    ["calibrate"],
    ["agreement"],
    ["score-pairs"],
    ["gallery", "import"],
    ["gallery", "export"],
    ["gallery", "tune"],
]
INDEX_KEYS = {"gallery", "added", "updated", "unchanged", "removed", "failed", "images", "identities", "seconds"}
QUERY_KEYS = {"query", "verdict", "identity", "confidence", "margin", "matches"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an indexed catalogue of three cups in two bins."""
    home = tmp_path_factory.mktemp("shop")
    for number in range(3):
        draw(home / f"catalogue/{number}.png", number)
    table = home / "table.csv"
    table.write_text("path,identity,bin\n0.png,red cup,A3\n1.png,blue cup,A3\n2.png,green cup,B1\n")
    gallery = str(home / ".nearid")
    arguments = ["index", str(home / "catalogue"), "--gallery", gallery, "--identities", str(table), "--device", "cpu"]
    assert run([*arguments, "--json"]) == 0
    return home


def error_line(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout."""
    assert run(list(arguments)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def answers(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """Run a command that must print JSON lines."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return [json.loads(line) for line in captured.out.splitlines()]


def test_a_missing_gallery_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    draw(tmp_path / "photo.png", 1)
    line = error_line(capsys, "query", "photo.png")
    assert f"no gallery at {tmp_path}/.nearid: make one with: nearid-search index ./catalog" in line


@pytest.mark.parametrize("content", [None, "notes.txt"], ids=["empty", "no images"])
def test_a_folder_without_images(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, gallery = tmp_path / "catalogue", tmp_path / "gallery"
    folder.mkdir()
    if content:
        (folder / content).write_text("x")
    line = error_line(capsys, "index", str(folder), "--gallery", str(gallery), "--json")
    assert f"{folder} holds no images ({'1 other files' if content else 'no files at all'})" in line
    assert not gallery.exists()


def test_a_query_that_is_no_image(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    assert "table.csv: not an image: starts with" in error_line(capsys, "query", "table.csv")


def test_a_second_writer_is_refused(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with writer_lock(inside / ".nearid"):
        assert f"being written by process {os.getpid()}" in error_line(capsys, "index", "catalogue", "--json")


def test_a_gallery_that_is_a_file(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = inside / "table.csv"
    assert f"{gallery} is a file" in error_line(capsys, "index", "catalogue", "--gallery", "table.csv", "--json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_gallery_that_may_not_be_written(inside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    tmp_path.chmod(0o500)
    line = error_line(capsys, "index", "catalogue", "--gallery", str(tmp_path / "gallery"), "--json")
    assert "cannot write the gallery" in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no file system that refuses even root")
def test_a_gallery_where_nobody_may_write(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    assert "cannot write the gallery" in error_line(
        capsys, "index", "catalogue", "--gallery", "/proc/gallery", "--json"
    )


def test_an_unknown_backbone(inside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    arguments = ["index", "catalogue", "--gallery", str(tmp_path / "g"), "--backbone", "resnet-9000", "--json"]
    assert "resnet-9000" in error_line(capsys, *arguments)


def test_a_path_is_printed_in_one_piece(
    inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    name = "a picture with a name that is longer than the terminal is wide.png"
    draw(inside / "long" / name, 1)
    assert run(["query", f"long/{name}", "-k", "1"]) == 0
    out = capsys.readouterr().out
    assert f"long/{name}" in out
    assert "catalogue/1.png" in out


def test_a_query_of_a_gallery_that_is_a_file(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = error_line(capsys, "query", "catalogue/0.png", "--gallery", str(inside / "table.csv"))
    assert "no gallery at" in message
    assert "nearid-search index" in message


@pytest.mark.parametrize("arguments", [["index"], ["bogus"], ["query", "x.png", "-k", "0"], ["index", "x", "--bogus"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().out == ""


def test_index_json(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (report,) = answers(capsys, "index", "catalogue")
    assert report.keys() >= INDEX_KEYS | {"images_per_second", "failures"}
    assert (report["gallery"], report["unchanged"], report["images"]) == (str(inside / ".nearid"), 3, 3)
    assert (report["failed"], report["failures"]) == (0, [])


def test_query_json(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    (answer,) = answers(capsys, "query", "catalogue/1.png")
    assert answer.keys() >= QUERY_KEYS
    assert (answer["query"], answer["identity"]) == ("catalogue/1.png", "blue cup")
    best = answer["matches"][0]
    assert best.keys() == {"rank", "identity", "score", "support", "images"}
    assert best["images"] == [{"path": "catalogue/1.png", "score": best["score"]}]
    assert (best["rank"], best["score"]) == (1, pytest.approx(1, abs=1e-6))
    assert answer["margin"] == pytest.approx(best["score"] - answer["matches"][1]["score"], abs=1e-6)


def test_k_and_a_folder_of_queries(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    found = answers(capsys, "query", "catalogue", "-k", "2")
    assert [answer["query"] for answer in found] == [f"catalogue/{number}.png" for number in range(3)]
    assert [len(answer["matches"]) for answer in found] == [2, 2, 2]


def test_pictures_of_one_thing_get_one_answer(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = answers(capsys, "query", "catalogue/1.png", "catalogue/2.png", "--same", "-k", "1")
    assert answer["query"] == "catalogue/1.png + catalogue/2.png"
    assert answer["identity"] in ("blue cup", "green cup")
    assert run(["query", "catalogue", "--same", "--html", "set.html"]) == 0
    assert "catalogue/0.png + catalogue/1.png + catalogue/2.png" in (inside / "set.html").read_text()
    assert run(["query", "--embeddings", "e.parquet", "--same"]) == 2


def test_where_filters(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    (answer,) = answers(capsys, "query", "catalogue/2.png", "--where", "bin = 'A3'")
    assert {match["identity"] for match in answer["matches"]} == {"red cup", "blue cup"}
    (answer,) = answers(capsys, "query", "catalogue/2.png", "--where", "bin = 'Z'")
    assert (answer["verdict"], answer["identity"], answer["matches"]) == ("unknown", None, [])


@pytest.mark.parametrize("where", ["shelf = 1", "bin ="])
def test_a_bad_filter(where: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inside.is_dir()
    assert f"cannot filter by {where!r}" in error_line(capsys, "query", "catalogue/0.png", "--where", where)


def test_a_dry_run_writes_nothing(catalogue: MakeCatalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = catalogue({"a/1.png": 1, "b/1.png": 2})
    (plan,) = answers(capsys, "index", str(folder), "--gallery", str(tmp_path / "gallery"), "--dry-run")
    assert (plan["dry_run"], plan["new"]) == (True, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"catalogue"}


@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16"])
def test_the_plan_says_which_arithmetic_and_where(
    dtype: str, catalogue: MakeCatalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = ["index", str(catalogue({"a/1.png": 1})), "--gallery", str(tmp_path / "gallery"), "--device", "cpu"]
    chosen = resolve_dtype(EncoderConfig.backbone, "cpu", dtype)
    encoder = f"{EncoderConfig.backbone} with its shipped head in {chosen} on cpu"
    plan = f"1 new, 0 changed, 0 moved, 0 gone; {encoder}\n"
    assert run([*index, "--dtype", dtype, "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith(plan)
    assert run([*index, "--dtype", dtype]) == 0
    assert plan in capsys.readouterr().err
    # The gallery's own comes first from then on.
    (again,) = answers(capsys, *index, "--dry-run")
    assert again["encoder"].startswith(f"{EncoderConfig.backbone} with head {tmp_path / 'gallery'}")
    assert again["encoder"].endswith(f" in {chosen} on cpu")
    (info,) = answers(capsys, "gallery", "info", "--gallery", str(tmp_path / "gallery"))
    assert info["dtype"] == chosen


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert f"Example: nearid-search {' '.join(command)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "configs"),
    [
        (index_command, (EncoderConfig(), IndexConfig(), AnnConfig())),
        (query_command, (EncoderConfig(), QueryConfig())),
        (tune_command, (TuneConfig(),)),
        (calibrate_command, (CalibrateConfig(), QueryConfig())),
    ],
    ids=["index", "query", "tune", "calibrate"],
)
def test_defaults_are_those_of_the_library(command: Any, configs: tuple[Any, ...]) -> None:
    defaults = {name: option.default for name, option in inspect.signature(command).parameters.items()}
    shared = {name: value for config in configs for name, value in vars(config).items() if name in defaults}
    # The gallery's own encoder comes before the default one, so these are open until then.
    left_open = {"backbone": None, "dtype": None, "head": None, "foreground": None}
    assert {name: defaults[name] for name in shared} == {
        name: left_open.get(name, value) for name, value in shared.items()
    }
    assert shared


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(catalogue: MakeCatalogue, tmp_path: Path) -> None:
    folder = catalogue({f"{number % 4}/{number}.png": number for number in range(80)})
    gallery = tmp_path / "gallery"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = ["index", str(folder), "--gallery", str(gallery), "--batch-size", "1", "--device", "cpu", "--json"]
    # Whoever runs the tests in the background may have had interrupts ignored, which programs inherit.
    listen = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listen}; runpy.run_module('nearid_search', run_name='__main__', alter_sys=True)"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        # The manifest is written just before the first picture is read.
        while not (gallery / "manifest.json").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "error: interrupted\n")
    assert run(arguments) == 0
