"""Tables of a gallery out on the command line."""

import json
from pathlib import Path

import pytest
from correction_cases import made_gallery

from nearid_search.cli.app import run


def test_tables_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    made_gallery(tmp_path / ".nearid", {"cup": 3, "mug": 2, "tin": 4})
    assert run(["gallery", "export", "identities.csv", "--what", "identities"]) == 0
    assert capsys.readouterr().out.startswith("3 identities in identities.csv")
    assert run(["gallery", "export", "images.jsonl", "--what", "images", "--where", "identity = 'tin'", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exported"] == 4
    assert run(["gallery", "export", "embeddings.csv", "--format", "csv"]) == 1
    assert "embeddings are written as parquet, not as csv" in capsys.readouterr().err
