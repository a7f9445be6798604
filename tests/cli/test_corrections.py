"""Corrections on the command line: what they print, and what they refuse in one line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from catalogues import draw
from correction_cases import made_gallery, shown

from nearid_search.cli.app import run
from nearid_search.indexer.gallery import Gallery


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    return made_gallery(tmp_path / ".nearid", {"cup": 3, "jug": 2})


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run(["gallery", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_indexing_says_that_corrections_are_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    for number in range(4):
        draw(tmp_path / f"catalog/{number // 2}/{number}.png", number)
    line = "applied to what the catalogues say: nearid-search gallery history"
    assert run(["index", "catalog"]) == 0
    assert line not in capsys.readouterr().err
    for commands, expected in (
        ([["rename", "0", "cup"]], f"1 correction {line}"),
        ([["rename", "1", "jug"], ["rename", "cup", "mug"], ["undo"]], f"2 corrections {line}"),
        ([["undo", "2"], ["undo", "1"]], None),
    ):
        for command in commands:
            assert run(["gallery", *command]) == 0
        capsys.readouterr()
        assert run(["index", "catalog"]) == 0
        assert [each for each in capsys.readouterr().err.splitlines() if line in each] == (
            [expected] if expected else []
        )
        assert run(["index", "catalog", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["corrections"]
        assert found == (int(expected.split()[0]) if expected else 0)


def test_every_command(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    (tag,) = printed(capsys, "tag", "first")
    assert tag.items() >= {"tag": "first", "version": gallery.store.version}.items()
    before = shown(gallery)
    made = printed(capsys, "rename", "cup", "mug", "--by", "Ada", "--because", "on the label")
    assert made.items() >= {
        "entry": 1, "action": "rename", "what": "cup is called mug", "images": 3, "who": "Ada", "why": "on the label",
    }.items()  # fmt: skip
    assert printed(capsys, "confirm", "catalog/jug/1.png", "mug")["images"] == 1
    assert printed(capsys, "split", "mug", "catalog/cup/1.png", "catalog/jug/1.png", "--as", "pot")["images"] == 2
    assert printed(capsys, "merge", "pot", "jug", "--into", "mug")["images"] == 3
    assert printed(capsys, "reject", "catalog/cup/1.png", "mug")["images"] == 1
    assert printed(capsys, "remove", "catalog/cup/1.png")["images"] == 1
    assert Gallery.open().identities() == {"mug": 4}
    (listed,) = printed(capsys, "list", "--views")
    assert [view["path"] for view in listed["views"]] == [
        "catalog/cup/2.png", "catalog/cup/3.png", "catalog/jug/1.png", "catalog/jug/2.png",
    ]  # fmt: skip
    assert printed(capsys, "undo")["what"] == "not: catalog/cup/1.png is in no answer"
    past = printed(capsys, "history")
    assert [entry["entry"] for entry in past] == list(range(1, 8))
    assert past[5]["undone_by"] == 7
    assert [entry["entry"] for entry in printed(capsys, "history", "pot")] == [3, 4]
    assert printed(capsys, "restore", "first")["images"] == 5
    assert shown(gallery) == before
    assert [tag["tag"] for tag in printed(capsys, "tag")] == ["first"]
    assert printed(capsys, "tag", "first", "--delete") == []


def test_undoing_twice_is_refused_and_undoes_nothing_else(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "rename", "jug", "pot")
    printed(capsys, "rename", "cup", "mug")
    printed(capsys, "undo", "2")
    for arguments, reason in ((["undo", "2"], "was undone by entry 3 already"), (["undo", "3"], "is an undo itself")):
        assert run(["gallery", *arguments]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line
    assert Gallery.open(gallery.folder).identities() == {"cup": 3, "pot": 2}
    assert len(printed(capsys, "history")) == 3


@pytest.mark.usefixtures("gallery")
def test_people_are_told_how_to_take_it_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", "rename", "cup", "mug"]) == 0
    out = capsys.readouterr().out
    assert out == "cup is called mug: 3 images changed (entry 1; to take it back: nearid-search gallery undo 1)\n"
    assert run(["gallery", "undo", "1"]) == 0
    assert run(["gallery", "history"]) == 0
    assert re.search(r"1 │ 20\d\d-\S+ \S+ │ .* │ rename │ cup is called mug .* │ undone by 2", capsys.readouterr().out)


@pytest.mark.usefixtures("gallery")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["merge", "cup", "--into", "cup"], "'cup' cannot be merged into itself"),
        (["rename", "cpu", "mug"], "there is no identity 'cpu': did you mean 'cup'?"),
        (["undo", "4"], "there is no entry 4: nothing has been corrected"),
        (["split", "jug", "catalog/jug/1.png", "catalog/jug/2.png", "--as", "pot"], "rename it instead"),
        (
            ["split", "jug", "no/such.png", "--as", "pot"],
            "no picture 'no/such.png' of 'jug': nearid-search gallery",
        ),
        (["restore", "noon"], "'noon' is no version, tag or time"),
    ],
)
def test_refusals_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"error: .*\n", captured.err)
    assert message in captured.err
