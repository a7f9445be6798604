"""Embeddings in and out on the command line."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogues import draw
from embedding_files import directions, write_embeddings
from pyarrow import parquet

from nearid_search.cli.app import run
from nearid_search.indexer.gallery import Gallery

NAMES = ["Tasse", "Tasse", "茶碗", "jug"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a file of embeddings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    write_embeddings(
        tmp_path / "e.parquet",
        directions(1, 4),
        NAMES,
        path=["a.jpg", None, "ü/c.jpg", "d.jpg"],
        bin=["A", "A", "B", "B"],
    )
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return [json.loads(line) for line in captured.out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"error: .*\n", captured.err)
    return captured.err


@pytest.mark.usefixtures("desk")
def test_import_ask_export_import_ask(capsys: pytest.CaptureFixture[str]) -> None:
    (report,) = printed(capsys, "gallery", "import", "e.parquet")
    counts = {"added": 4, "unchanged": 0, "duplicates": 0, "images": 4, "identities": 3, "dim": 8}
    assert report.items() >= (counts | {"encoder": "embeddings:8", "source": "e.parquet"}).items()
    first = printed(capsys, "query", "--embeddings", "e.parquet", "-k", "2")
    assert [answer["query"] for answer in first] == ["a.jpg", "1", "ü/c.jpg", "d.jpg"]
    assert [answer["identity"] for answer in first] == NAMES
    best = [answer["matches"][0]["images"][0] for answer in first]
    assert [image["path"] for image in best] == ["a.jpg", None, "ü/c.jpg", "d.jpg"]
    assert [image["score"] for image in best] == pytest.approx([1.0] * 4, abs=1e-6)
    (report,) = printed(capsys, "gallery", "export", "out.parquet")
    assert report["exported"] == 4
    (report,) = printed(capsys, "gallery", "import", "out.parquet", "--gallery", "again")
    assert report["added"] == 4
    assert printed(capsys, "query", "--embeddings", "e.parquet", "-k", "2", "--gallery", "again") == first


@pytest.mark.usefixtures("desk")
def test_the_plan_comes_first_and_the_sum_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", "import", "e.parquet", "--encoder", "ViT"]) == 0
    captured = capsys.readouterr()
    assert "4 embeddings of 3 identities, 8 wide, made by ViT: 4 new, 0 in the gallery already" in captured.err
    assert "importing" in captured.err
    assert re.match(r"4 images of 3 identities in .*: 4 added, 0 updated, 0 unchanged, 0 duplicates", captured.out)
    assert run(["gallery", "export", "out.parquet"]) == 0
    assert capsys.readouterr().out.startswith("4 embeddings, 8 wide, in out.parquet")


@pytest.mark.usefixtures("desk")
def test_filters(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "gallery", "import", "e.parquet")
    found = printed(capsys, "query", "--embeddings", "e.parquet", "--where", "bin = 'B'")
    assert {match["identity"] for answer in found for match in answer["matches"]} == {"茶碗", "jug"}
    printed(capsys, "gallery", "export", "b.parquet", "--where", "bin = 'B'")
    assert parquet.read_table("b.parquet").num_rows == 2
    assert "cannot filter by 'shelf = 1'" in refused(capsys, "gallery", "export", "c.parquet", "--where", "shelf = 1")
    assert not Path("c.parquet").exists()


@pytest.mark.usefixtures("desk")
def test_export_overwrites_only_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "gallery", "import", "e.parquet")
    before = Path("e.parquet").read_bytes()
    message = refused(capsys, "gallery", "export", "e.parquet")
    assert "e.parquet exists already: give another name or --force" in message
    assert Path("e.parquet").read_bytes() == before
    printed(capsys, "gallery", "export", "e.parquet", "--force")
    assert "key" in parquet.read_schema("e.parquet").names
    assert "none is no folder" in refused(capsys, "gallery", "export", "none/e.parquet")


def test_what_has_no_encoder_says_so(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "gallery", "import", "e.parquet")
    draw(desk / "catalogue/a.png", 1)
    for command in (["query", "catalogue/a.png"], ["index", "catalogue"], ["index", "catalogue", "--rebuild"],
                    ["index", "catalogue", "--dry-run"]):  # fmt: skip
        message = refused(capsys, *command)
        assert "holds imported embeddings (embeddings:8) and no encoder" in message
        assert "query --embeddings" in message
    assert Gallery.open().store.num_images() == 4


@pytest.mark.usefixtures("desk")
def test_info_and_list(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "gallery", "import", "e.parquet")
    (info,) = printed(capsys, "gallery", "info", "--failures")
    assert info.items() >= {"images": 4, "imported": 4, "backbone": None, "metadata": ["bin"], "failed": 0}.items()
    capsys.readouterr()
    assert run(["gallery", "info"]) == 0
    assert re.search(r"backbone +│ none", capsys.readouterr().out)
    listed = json.dumps(
        [{"identity": "Tasse", "images": 2}, {"identity": "jug", "images": 1}, {"identity": "茶碗", "images": 1}]
    )
    assert printed(capsys, "gallery", "list") == [json.loads(listed)]


@pytest.mark.usefixtures("desk")
def test_a_page_without_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "gallery", "import", "e.parquet")
    assert run(["query", "--embeddings", "e.parquet", "--html", "strip.html"]) == 0
    assert "no picture" not in capsys.readouterr().out
    page = Path("strip.html").read_text()
    assert page.count("<article>") == 4
    assert "<img" not in page
    assert "no picture" in page


@pytest.mark.usefixtures("desk")
def test_a_table_for_people_copes_without_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "gallery", "import", "e.parquet")
    assert run(["query", "--embeddings", "e.parquet"]) == 0
    out = capsys.readouterr().out
    assert "ü/c.jpg" in out
    assert "None" not in out


@pytest.mark.usefixtures("desk")
def test_a_bad_query_row_is_named_and_the_others_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "gallery", "import", "e.parquet")
    rows = directions(2, 4)
    rows[1], rows[2, 0] = 0, np.nan
    write_embeddings(Path("q.parquet"), rows, None, path=["a", "b", "c", "d"])
    assert run(["query", "--embeddings", "q.parquet", "--json"]) == 1
    captured = capsys.readouterr()
    assert [json.loads(line)["query"] for line in captured.out.splitlines()] == ["a", "d"]
    assert captured.err == (
        "cannot answer c: its embedding holds NaN or null\n"
        "error: q.parquet: cannot answer b: its embedding is all zeros, which has no direction\n"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["query", "a.png", "--embeddings", "e.parquet"], "give pictures or --embeddings, not both"),
        (["query"], "give pictures, or --embeddings FILE"),
        (["gallery", "import"], "EMBEDDINGS"),
        (["gallery", "export"], "OUT"),
    ],
)
@pytest.mark.usefixtures("desk")
def test_wrong_usage(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert problem.lower() in captured.err.lower()


@pytest.mark.usefixtures("desk")
def test_refusals_are_one_line_and_write_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    rows = directions(3, 3)
    rows[2, 1] = np.inf
    write_embeddings(Path("bad.parquet"), rows, list("abc"), path=["a", "b", "c d.jpg"])
    assert "bad.parquet row 2 (c d.jpg): its embedding is infinite" in refused(
        capsys, "gallery", "import", "bad.parquet"
    )
    assert "none.parquet does not exist" in refused(capsys, "gallery", "import", "none.parquet")
    assert "no gallery at" in refused(capsys, "query", "--embeddings", "e.parquet")
    assert not Path(".nearid").exists()
