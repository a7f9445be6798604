"""What tests of the command line share."""

from pathlib import Path

import pytest


@pytest.fixture
def inside(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in the folder that a module's own ``shop`` fixture has made."""
    monkeypatch.chdir(shop)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    return shop
