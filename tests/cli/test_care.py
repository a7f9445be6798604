"""``gallery verify`` and ``gallery repair`` on the command line: what they print and how they exit."""

import json
from pathlib import Path
from typing import Any

import pytest
from correction_cases import made_gallery

from nearid_search.cli.app import run
from nearid_search.indexer.gallery import Gallery


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    made = made_gallery(tmp_path / ".nearid", {"cup": 3, "jug": 2})
    made.corrections.rename("cup", "mug")
    return made


def printed(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> Any:
    capsys.readouterr()
    assert run(["gallery", *arguments, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


@pytest.mark.usefixtures("gallery")
def test_a_whole_gallery(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, 0, "verify")
    assert (found["whole"], found["images"], found["findings"]) == (True, 5, [])
    assert printed(capsys, 0, "verify", "--quick")["images"] is None
    assert printed(capsys, 0, "repair")["mended"] == []


def test_a_damaged_one_is_named_planned_and_mended(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    log = gallery.folder / "corrections.jsonl"
    content = log.read_bytes()
    log.write_bytes(content[:-5])
    assert run(["gallery", "verify"]) == 1
    assert "corrections.jsonl" in capsys.readouterr().out
    (finding,) = printed(capsys, 1, "verify")["findings"]
    assert set(finding) == {"part", "file", "what", "repair", "damage"}
    assert (finding["part"], finding["repair"]) == ("corrections", "taken from corrections.jsonl.copy")
    assert run(["gallery", "repair", "--dry-run"]) == 0
    assert log.read_bytes() == content[:-5]
    assert printed(capsys, 0, "repair")["aside"] == ["corrections.jsonl.damaged"]
    assert log.read_bytes() == content


def test_what_cannot_be_mended_is_said(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    (gallery.folder / "corrections.jsonl.copy").unlink()
    (gallery.folder / "corrections.jsonl").write_bytes(b'{"number": 1}\n')
    assert run(["gallery", "repair"]) == 1
    assert "not all could be mended" in capsys.readouterr().out


def test_no_gallery_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("verify", "repair", "migrate"):
        assert run(["gallery", verb, "--gallery", str(tmp_path / "none")]) == 1
        assert "no gallery at" in capsys.readouterr().err
