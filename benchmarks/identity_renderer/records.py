"""What is known about each identity of a set: complete with its rows, or failed with a reason."""

from __future__ import annotations

import json
from pathlib import Path

RECORDS, FAILED = "records", "failed"
"""Folders of the set that hold one JSON file an identity."""


def is_done(out: Path, name: str) -> bool:
    """Return whether an identity is complete or known to fail."""
    return any((out / folder / f"{name}.json").is_file() for folder in (RECORDS, FAILED))


def record_failure(out: Path, name: str, reason: str) -> None:
    """Write down that an identity cannot be rendered; delete the file to have it tried again."""
    write_json(out / FAILED / f"{name}.json", {"identity": name, "reason": reason})


def write_json(path: Path, content: object) -> None:
    """Write JSON; the file appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content))
    partial.replace(path)
