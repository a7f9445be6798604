"""What the example scripts promise beside what their pages show."""

import ast
import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from catalogues import draw

import nearid_search
from nearid_search import SightingLog, index_catalogue
from nearid_search.encoder import IdentityEncoder

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = [EXAMPLES / f"{name}.py" for name in ("track_assets", "reconcile", "find_counterfeits", "score_generations")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, encoder: IdentityEncoder) -> Path:
    """A gallery of two things with two views each."""
    folder = tmp_path_factory.mktemp("shop")
    for thing, view, seed in (("cup", 1, 1), ("cup", 2, 2), ("jug", 1, 3), ("jug", 2, 4)):
        draw(folder / f"catalogue/{thing}/{view}.png", seed)
    index_catalogue(folder / "catalogue", gallery=folder / "gallery", encoder=encoder)
    return folder


def command(script: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, str(EXAMPLES / f"{script}.py"), *map(str, arguments)]


def run(script: str, *arguments: str | Path, cwd: Path, code: int = 0, given: str = "") -> tuple[str, str]:
    """Run a script and return what it prints on stdout and stderr."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "NEARID_GALLERY": "gallery"}
    done = subprocess.run(
        command(script, *arguments), cwd=cwd, env=environment, input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_uses_public_names_alone(script: Path) -> None:
    text = script.read_text()
    assert len(text.splitlines()) <= 60
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imported if str(node.module).startswith("nearid_search")]
    assert [node.module for node in ours] == ["nearid_search"]
    assert {name.name for name in ours[0].names} <= set(nearid_search.__all__)


@pytest.mark.slow
def test_it_watches_until_it_is_stopped(shop: Path, tmp_path: Path) -> None:
    stills, log = tmp_path / "stills", tmp_path / "log"
    (stills / "bay").mkdir(parents=True)
    shutil.copytree(shop / "gallery", tmp_path / "gallery")
    shutil.copy(shop / "catalogue/cup/1.png", stills / "bay/20260302-080000.png")
    (stills / "bay/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "NEARID_GALLERY": "gallery"}
    # Where the tests run in the background, a shell has SIGINT ignored, and children inherit that.
    listen = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{listen}; runpy.run_path({str(EXAMPLES / 'track_assets.py')!r}, run_name='__main__')"
    arguments = [sys.executable, "-c", script, str(stills), "--sightings", str(log), "--every", "0.1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        while "broken.png: " not in (line := running.stderr.readline()):
            assert line, "it ended"
        (stills / "dock").mkdir()
        shutil.copy(shop / "catalogue/cup/2.png", stills / "dock/20260302-090000.png")
        assert "2026-03-02 09:00  dock: cup moved from bay" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        try:
            assert running.wait(60) == 130
        finally:
            running.kill()
        assert "Traceback" not in running.stderr.read()
    assert [sighting.place for sighting in SightingLog(log).last().values()] == ["dock"]


@pytest.mark.slow
def test_stills_can_be_listed_and_stock_that_agrees_is_no_news(shop: Path) -> None:
    listed = "catalogue/cup/1.png\ncatalogue/jug/1.png\ncatalogue/none.png\n"
    printed, problems = run("track_assets", "/dev/stdin", "--sightings", "listed", cwd=shop, given=listed)
    assert printed == ""
    assert problems.splitlines()[-1] == "left out: catalogue/none.png: no such file or directory"
    table = shop / "expected.csv"
    table.write_text("asset,place\ncup,elsewhere\ncup,catalogue/cup\njug,catalogue/jug\n")
    printed, _ = run("reconcile", table, "--sightings", "listed", cwd=shop)
    assert printed.splitlines() == ["finding,asset,expected,seen,time,picture"]
    assert "no log of sightings" in run("reconcile", table, "--sightings", "none", cwd=shop, code=1)[1]
    table.write_text("thing,place\ncup,catalogue/cup\n")
    assert "has no column 'asset'" in run("reconcile", table, "--sightings", "listed", cwd=shop, code=1)[1]


def test_references_without_pictures_are_refused(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "empty/cup").mkdir(parents=True)
    for folder in (tmp_path / "none", tmp_path / "empty"):
        assert "needs a folder with pictures" in run("score_generations", folder, folder, cwd=shop, code=1)[1]


def test_a_folder_of_listings_and_those_that_cannot_be_judged(shop: Path, tmp_path: Path) -> None:
    for item, picture in (("cup", "cup/1.png"), ("cup", "jug/2.png"), ("teapot", "jug/1.png")):
        (tmp_path / item).mkdir(exist_ok=True)
        shutil.copy(shop / "catalogue" / picture, tmp_path / item / picture.replace("/", "-"))
    printed, problems = run("find_counterfeits", tmp_path, cwd=shop, code=1)
    rows = list(csv.DictReader(printed.splitlines()))
    assert [(Path(row["query"]).name, row["holds"]) for row in rows] == [("jug-2.png", "False"), ("cup-1.png", "True")]
    assert "no identity 'teapot'" in problems
