"""The masked protocol: the same views twice, judged by where their rows point."""

import numpy as np
from made_reports import made_report
from placed_samples import Views, at_angles, place

from nearid_search.eval.embedded_split import Dropped, EmbeddedSplit, PlacedSamples
from nearid_search.eval.protocols.masked import evaluate_masked

#                       whole picture: 0 1 2 | 3 4 | 5  foreground alone: 6 7 8 | 9 10
EMBEDDINGS = at_angles(0, 20, 10, 90, 91, 200, 0, 20, 60, 90, 91)
FULL: dict[str, Views] = {"cup": [(0, {"flux": 2}), (1, {})], "jug": [(3, {}), (4, {})]}
MASKED: dict[str, Views] = {"cup": [(6, {"flux": 8}), (7, {})], "jug": [(9, {}), (10, {})]}


def split_of(masked: PlacedSamples, unmasked: PlacedSamples) -> EmbeddedSplit:
    return EmbeddedSplit(
        name="test",
        placed=place({**FULL, "pan": [(5, {})]}),
        masked=masked,
        unmasked=unmasked,
        fillers=np.zeros(0, np.int64),
        pictures=(),
        keys=(),
        embeddings={},
        dropped=Dropped(),
    )


def test_a_distractor_that_wins_by_its_background_loses_without_it() -> None:
    found = evaluate_masked(split_of(place(MASKED), place(FULL)), EMBEDDINGS)
    assert found is not None
    assert (found.full_pairs.pooled.ssr.value, found.pairs.pooled.ssr.value) == (0, 1)
    assert (found.full_gallery.figures["recall@1"].value, found.gallery.figures["recall@1"].value) == (0.5, 1)
    assert (found.n_views, found.n_unmasked) == (4, 1)
    document = found.as_dict()
    for side, ssr in (("foreground", 1), ("full", 0)):
        assert document[side]["ssr"]["value"] == ssr
        assert document[side]["recall@1"]["n"] == 4


def test_without_masks_there_is_nothing_to_compare() -> None:
    assert evaluate_masked(split_of(place({}), place({})), EMBEDDINGS) is None
    report = made_report(place(FULL), {"frozen": EMBEDDINGS})
    assert report.as_dict()["frozen"]["masked"] is None
