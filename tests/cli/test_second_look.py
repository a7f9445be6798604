"""Re-ranking and explanations as a script sees them."""

from pathlib import Path

import pytest
from catalogues import draw
from command_output import said

from nearid_search.cli.app import run
from nearid_search.cli.explanation_table import shaded


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an indexed catalogue."""
    home = tmp_path_factory.mktemp("shop")
    for number in range(8):
        draw(home / f"catalogue/{number % 4}/{number}.png", number)
    assert run(["index", str(home / "catalogue"), "--gallery", str(home / ".nearid")]) == 0
    return home


@pytest.mark.usefixtures("inside")
def test_re_ranking_is_measured_shown_and_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    plain, _ = said(capsys, "query", "catalogue/1/5.png")
    assert "rerank" not in plain
    record, warned = said(capsys, "gallery", "tune", "--rerank", "--queries", "5")
    assert warned == ""
    info, _ = said(capsys, "gallery", "info")
    assert info["rerank"]["rungs"] == record["rungs"]
    assert (info["rerank"]["state"], record["queries"]) == ("fresh", 5)
    named, _ = said(capsys, "query", "catalogue/1/5.png", "--rerank", "siblings", "--rerank-ms", "60000")
    rerank = named.pop("rerank")
    assert (rerank["name"], rerank["remarks"]) == ("siblings", [])
    assert {match["identity"] for match in named["matches"]} == {match["identity"] for match in plain["matches"]}
    assert run(["gallery", "tune", "--rerank", "--queries", "5"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in record["rungs"])
    assert run(["query", "catalogue/1/5.png", "--rerank", "siblings"]) == 0
    assert "(re-ranked by siblings: changed" in capsys.readouterr().out
    assert run(["query", "catalogue/1/5.png", "--rerank", "magic"]) == 1
    assert "unknown re-ranking 'magic'" in capsys.readouterr().err


@pytest.mark.usefixtures("inside")
def test_local_features_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cv2")
    plain, _ = said(capsys, "query", "catalogue/1/5.png")
    answer, warned = said(capsys, "query", "catalogue/1/5.png", "--rerank", "geometry", "--rerank-ms", "600000")
    assert warned == ""
    rerank = answer.pop("rerank")
    assert (rerank["name"], rerank["remarks"]) == ("geometry", [])
    assert {m["identity"]: m["score"] for m in answer["matches"]} == {
        m["identity"]: m["score"] for m in plain["matches"]
    }


@pytest.mark.usefixtures("inside")
def test_an_answer_is_explained_in_json_on_the_terminal_and_on_a_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer, warned = said(capsys, "query", "catalogue/1/5.png", "--explain")
    assert warned == ""
    why = answer["explanation"]
    assert set(why) == {
        *("identity", "path", "score", "other", "other_path", "other_score", "margin", "views", "views_above"),
        *("heat", "background", "whole_score", "remarks"),
    }
    assert len(why["heat"]) == len(why["heat"][0])
    page = tmp_path / "page.html"
    assert run(["query", "catalogue/1/5.png", "--explain", "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "nearest other" in shown
    assert "of 2 score above every other" in shown
    html = page.read_text(encoding="utf-8")
    assert html.count('alt="regions that carried the score of catalogue/1/5.png"') == 1
    assert "http" not in html


@pytest.mark.usefixtures("inside")
def test_several_pictures_of_one_thing_are_re_ranked_and_explained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ("query", "catalogue/1/1.png", "catalogue/1/5.png", "--same", "--rerank", "siblings", "--explain")
    answer, warned = said(capsys, *asked)
    assert warned == ""
    assert (answer["identity"], answer["rerank"]["name"]) == ("1", "siblings")
    assert [picture["query"] for picture in answer["explanation"]["pictures"]] == list(asked[1:3])
    page = tmp_path / "page.html"
    assert run([*asked, "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    html = page.read_text(encoding="utf-8")
    for picture in asked[1:3]:
        assert f"regions that carried the score of {picture} (darker" in shown
        assert html.count(f'alt="query {picture}"') == 1
        assert html.count(f'alt="regions that carried the score of {picture}"') == 1


@pytest.mark.usefixtures("inside")
def test_an_embedding_cannot_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "--embeddings", "e.parquet", "--explain"]) == 2
    assert "only an answer to pictures can be explained" in capsys.readouterr().err


def test_shades_show_what_speaks_for_an_identity() -> None:
    assert shaded(((1.0, -1.0), (0.0, 0.5))) == ["██  ", "  ▒▒"]
    assert shaded(((0.0, -1.0),) * 2) == ["    ", "    "]
    assert len(shaded(tuple((0.0,) * 40 for _ in range(40)))) == 16
