"""``gallery suggest`` on the command line."""

import json
import re
import shlex
from pathlib import Path

import pytest
from correction_cases import made_gallery, things
from html_pages import read_page

from nearid_search.cli.app import run
from nearid_search.indexer.gallery import Gallery


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    """Two names of one thing, one of them awkward, and another thing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    views = {"cup <b>": things(1, 4), "mug": things(1, 7)[4:], "tin": things(6, 4)}
    return made_gallery(tmp_path / ".nearid", {name: len(rows) for name, rows in views.items()}, views=views)


@pytest.mark.usefixtures("gallery")
def test_the_command_that_is_printed_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", "suggest", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert found.keys() == {"kind", "identities", "score", "own", "pictures", "command", "keep"}
    assert (found["kind"], found["identities"]) == ("duplicate", ["cup <b>", "mug"])
    assert run(shlex.split(found["keep"])[1:]) == 0
    capsys.readouterr()
    assert run(["gallery", "suggest"]) == 0
    assert capsys.readouterr().out == "nothing to suggest; 11 of 11 pictures looked at\n"
    assert run(["gallery", "undo"]) == 0
    assert run(shlex.split(found["command"])[1:]) == 0
    assert Gallery.open().identities() == {"cup <b>": 7, "tin": 4}


def test_people_see_the_pictures_and_what_to_type(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--gallery", str(gallery.folder)]
    assert run(["gallery", "suggest", "-n", "1", "--html", "sheet.html", *where]) == 0
    captured = capsys.readouterr()
    assert re.search(
        r"1\. cup <b> and mug may be one \(score 0\.\d+; pictures of one of them .*: 0\.\d+\)", captured.out
    )
    assert f"nearid-search gallery merge mug --into 'cup <b>' --gallery {gallery.folder}" in captured.out
    assert "11 of 11 pictures looked at" in captured.err
    page = read_page(Path("sheet.html").read_text())
    assert len(page.all("article")) == 1
    assert [figure.text[:3] for figure in page.all("figcaption")] == ["cup", "mug"]
    assert not page.all("b")
    assert run(["gallery", "suggest", "--html", "sheet.html"]) == 1
    assert "sheet.html exists already" in capsys.readouterr().err
