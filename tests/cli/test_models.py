"""``nearid-search models`` as a script sees it."""

import json
from pathlib import Path

import pytest
from small_heads import write_head

from nearid_search.backbones.registry import list_backbones
from nearid_search.cli.app import run
from nearid_search.cli.backbone_table import print_backbones
from nearid_search.config import EncoderConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.shipped_heads import list_shipped_heads

KEYS = {"name", "description", "usable", "reason", "licence", "source", "tokens", "dtype", "head"}


def test_json_says_for_which_backbones_a_head_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert all(set(entry) == KEYS for entry in listed)
    assert {entry["name"] for entry in listed if entry["head"]} == set(list_shipped_heads())


@pytest.mark.parametrize("word", ["none", "auto"])
def test_an_export_needs_a_head(word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "encoder.onnx"
    ships = word == "auto" and EncoderConfig.backbone in list_shipped_heads()
    assert run(["models", "export", word, "--out", str(out), "--json"]) == (0 if ships else 1)
    assert out.exists() == ships
    if not ships:
        captured = capsys.readouterr()
        assert captured.out == ""
        line = f"error: {word!r} stands for no head of {EncoderConfig.backbone}: give the folder of a trained head"
        assert captured.err == f"{line} to export\n"


def test_the_table_says_so_too(encoder: IdentityEncoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_backbones(list_backbones(tmp_path), json=False)
    assert "head ships" not in capsys.readouterr().out
    write_head(tmp_path / "head", encoder.backbone.spec)
    print_backbones(list_backbones(tmp_path), json=False)
    told = [line for line in capsys.readouterr().out.splitlines() if "head ships" in line]
    assert told == ["dinov2-small: a trained head ships"]
