"""The load on the service, for a moment."""

from pathlib import Path

import pytest
from catalogues import draw
from service_load import ask_all, served

from nearid_search.cli.app import run

pytest.importorskip("fastapi")


@pytest.mark.slow
def test_every_request_is_answered_and_timed(tmp_path: Path) -> None:
    draw(tmp_path / "catalogue" / "cup" / "1.png", 1)
    assert run(["index", str(tmp_path / "catalogue"), "--gallery", str(tmp_path / "gallery")]) == 0
    with served(tmp_path / "gallery") as (process, address, seconds):
        assert process.poll() is None
        assert 0.1 < seconds < 300
        taken = ask_all(address, clients=3, requests=7)
    assert len(taken) == 7
    assert min(taken) > 0.001
    assert process.returncode == 0
