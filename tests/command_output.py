"""What a command prints, as a script reads it."""

import json
from typing import Any

import pytest

from nearid_search.cli.app import run


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str]:
    """Run a command; return its JSON and what it said on stderr."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err
