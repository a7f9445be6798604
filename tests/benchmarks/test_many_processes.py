"""Writers and readers on one gallery for seconds; ``benchmarks/many_processes.py`` lets them go on for a minute."""

from pathlib import Path

import pytest
from killing.shop import Shops
from many_processes import run_crowd

pytest.importorskip("faiss")


@pytest.mark.slow
def test_writers_take_turns_and_readers_see_one_moment(tmp_path: Path) -> None:
    shops = Shops(tmp_path / "shops")
    shop = shops.indexed.copy(tmp_path / "shop")
    found = run_crowd(shop, shops, ("correct", "correct"), 1, seconds=3, seed=1)
    assert found["faults"] == []
    assert found["correct"]["done"] >= 1
    assert found["read"]["different_states"] > 1
