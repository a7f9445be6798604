"""Searches whose answers are known, as calibrating a gallery gives them."""

import numpy as np

from nearid_search.eval.calibration_trials import Trials


def make_trials(seed: int, identities: int, views: int = 4) -> Trials:
    """Known things score higher, lead by more and agree more; those with little lead are wrong more often."""
    rng = np.random.default_rng(seed)
    parts = []
    for known, whole in ((True, False), (False, False), (False, True)):
        count = identities * views
        score = rng.normal(0.8 if known else 0.65, 0.08, count)
        margin = np.abs(rng.normal(0.08 if known else 0.03, 0.03, count))
        agreement = rng.integers(1, 4, count) / 3
        right = known & (rng.random(count) < 1 / (1 + np.exp(-60 * (margin - 0.03))))
        parts.append((np.stack([score, margin, agreement], 1), np.full(count, known), right, np.full(count, whole)))
    evidence, known_, right, whole_ = (np.concatenate(each) for each in zip(*parts, strict=True))
    owners = np.tile(np.repeat(np.arange(identities), views), 3)
    nobody = np.zeros(len(known_), bool)
    return Trials(evidence=evidence, known=known_, right=right, whole=whole_, marked=nobody, identities=owners)
