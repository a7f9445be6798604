"""``nearid-search models`` as a script sees it."""

import json
from pathlib import Path

import pytest
from small_heads import write_head

from nearid_search.backbones.registry import list_backbones
from nearid_search.cli.app import run
from nearid_search.cli.render import print_backbones
from nearid_search.encoder import IdentityEncoder
from nearid_search.shipped_heads import list_shipped_heads

KEYS = {"name", "description", "usable", "reason", "licence", "source", "tokens", "dtype", "head"}


def test_json_says_for_which_backbones_a_head_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert all(set(entry) == KEYS for entry in listed)
    assert {entry["name"] for entry in listed if entry["head"]} == set(list_shipped_heads())


def test_the_table_says_so_too(encoder: IdentityEncoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_backbones(list_backbones(tmp_path), json=False)
    assert "head ships" not in capsys.readouterr().out
    write_head(tmp_path / "head", encoder.backbone.spec)
    print_backbones(list_backbones(tmp_path), json=False)
    told = [line for line in capsys.readouterr().out.splitlines() if "head ships" in line]
    assert told == ["dinov2-small: a trained head ships"]
