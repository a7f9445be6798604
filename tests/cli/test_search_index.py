"""The search index as a script sees it: asked for, used, described, damaged and mended."""

from pathlib import Path

import pytest
from catalogues import draw
from command_output import said

from nearid_search.cli.app import run

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an indexed catalogue, searched through a graph."""
    home = tmp_path_factory.mktemp("shop")
    for number in range(12):
        draw(home / f"catalogue/{number % 4}/{number}.png", number)
    assert run(["index", str(home / "catalogue"), "--gallery", str(home / ".nearid"), "--backend", "hnsw-sq8"]) == 0
    return home


@pytest.mark.usefixtures("inside")
def test_the_gallery_keeps_and_describes_its_index(capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = said(capsys, "index", "catalogue")
    assert report["search"] == "hnsw-sq8 because it was asked for"
    info, _ = said(capsys, "gallery", "info")
    assert info["search"] == {"backend": "hnsw-sq8", "memory": None, "latency": None}
    index = info["index"]
    assert (index["state"], index["backend"], index["covered"], index["tuning"]) == ("fresh", "hnsw-sq8", 12, None)
    assert run(["gallery", "info"]) == 0
    shown = capsys.readouterr().out
    assert all(fact in shown for fact in ("state fresh", "backend hnsw-sq8", "factory HNSW32,SQ8"))


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("backend", ["exact", "faiss-flat", "sq8", "hnsw-sq8", "ivf-sq8", "ivf-rabitq"])
def test_every_backend_gives_the_same_answer(capsys: pytest.CaptureFixture[str], backend: str) -> None:
    expected, _ = said(capsys, "query", "catalogue/1/5.png", "--backend", "exact")
    answer, warned = said(capsys, "query", "catalogue/1/5.png", "--backend", backend)
    assert answer == expected
    assert bool(warned) == (backend in ("sq8", "ivf-sq8", "ivf-rabitq"))


def test_a_damaged_index_is_named_and_mended(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected, silent = said(capsys, "query", "catalogue/1/5.png")
    assert silent == ""
    (path,) = (inside / ".nearid/index").glob("*.vectors")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))
    answer, warned = said(capsys, "query", "catalogue/1/5.png")
    assert answer == expected
    assert warned.endswith(
        f"{path} was altered since it was written; every vector is scanned instead: index again to make it anew\n"
    )
    assert warned.count("\n") == 1
    said(capsys, "index", "catalogue")
    assert said(capsys, "query", "catalogue/1/5.png") == (expected, "")


@pytest.mark.usefixtures("inside")
def test_a_gallery_made_anew_keeps_its_search(capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = said(capsys, "index", "catalogue", "--rebuild")
    assert report["search"] == "hnsw-sq8 because it was asked for"
    info, _ = said(capsys, "gallery", "info")
    assert (info["index"]["state"], info["index"]["covered"]) == ("fresh", 12)
    assert said(capsys, "query", "catalogue/1/5.png")[1] == ""


@pytest.mark.usefixtures("inside")
def test_tuning_prints_and_stores_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    report, warned = said(capsys, "gallery", "tune", "--queries", "5", "--seed", "3")
    assert warned == ""
    assert set(report) == {"gallery", "backend", "settings", "tuning", "tried", "scanned"}
    assert (report["tuning"]["queries"], report["tuning"]["loss"], report["tuning"]["reached"]) == (5, 0, True)
    info, _ = said(capsys, "gallery", "info")
    assert info["index"]["tuning"] == report["tuning"]
    assert run(["gallery", "tune", "--queries", "5"]) == 0
    shown, told = capsys.readouterr()
    assert "12 images are so few that every vector is scanned although there is an index" in told
    assert "hnsw-sq8 with overfetch 2, ef_search 64: loses 0.00 points (95 %: up to 43.45) of the " in shown
    assert "0 of 5" in shown


def test_the_plan_says_why(inside: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["index", str(inside / "catalogue"), "--gallery", str(tmp_path / "gallery"), "--latency", "1us"]
    assert run(command) == 0
    assert "search: sq8 because a scan of 12 vectors of" in (told := capsys.readouterr().err) or "ivf" in told
    info, _ = said(capsys, "gallery", "info", "--gallery", str(tmp_path / "gallery"))
    assert info["search"]["latency"] == "1us"
    said(capsys, *command[:4], "--latency", "auto")
    info, _ = said(capsys, "gallery", "info", "--gallery", str(tmp_path / "gallery"))
    assert info["index"] is None
    assert run(["gallery", "tune", "--gallery", str(tmp_path / "gallery")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("is searched with exact, and every vector is scanned, which loses nothing\n")


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--memory", "lots"], "memory 'lots' is no amount of memory: give a number and K, M, G or T, such as 4G"),
        (["--latency", "10"], "latency '10' is no duration: give a number and us, ms or s, such as 10ms"),
        (["--backend", "pq"], "unknown backend 'pq': use one of auto, exact, faiss-flat, sq8, ivf-sq8, hnsw-sq8"),
    ],
)
def test_what_cannot_be_read_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["index", "catalogue", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
