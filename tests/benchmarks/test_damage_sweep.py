"""A few damages of every file of a small gallery; ``benchmarks/damage_sweep.py`` tries many on a larger one."""

import random
from pathlib import Path

from asked_gallery import make_gallery
from damage_sweep import cases, fingerprint, sweep

from nearid_search.encoder import IdentityEncoder


def test_no_damage_is_silently_answered_from(tmp_path: Path, encoder: IdentityEncoder) -> None:
    folder = make_gallery(tmp_path / "shop", encoder, things=4, views=2)
    before = fingerprint(folder)
    rng = random.Random(3)  # noqa: S311
    chosen = rng.sample(cases(folder, rng, flips=1, cuts=1), 30)
    found = sweep(folder, encoder, chosen, repairs=0)
    assert found["silently_different_crashed_or_hung"] == []
    assert fingerprint(folder) == before
    refused = [words for counts in found["outcomes"].values() for words in counts if not words.startswith("same;")]
    assert refused, "a sample that meets no file in force shows nothing"
