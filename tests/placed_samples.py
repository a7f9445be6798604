"""Identities with made-up embeddings, for protocols."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.similarity import Embeddings, unit_rows
from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.datasets.image_sources import FileImage
from nearid_search.trainer.datasets.records import Sample, View

Views = Sequence[tuple[int, Mapping[str, int]]]


def at_angles(*degrees: float) -> Embeddings:
    """Unit vectors in the plane: their score is the cosine of the angle between them."""
    angles = np.radians(np.array(degrees))
    return unit_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def place(
    identities: Mapping[str, Views],
    *,
    categories: Mapping[str, str] | None = None,
    attributes: Mapping[int, Mapping[str, float]] | None = None,
) -> PlacedSamples:
    """Make samples from the row of each view and of its distractors by source; attributes are by row of the view."""
    samples, rows = [], []
    for identity, views in identities.items():
        made = (
            View(
                number,
                FileImage(Path(f"{row}.png")),
                None,
                {source: FileImage(Path(f"{other}.png")) for source, other in distractors.items()},
                (attributes or {}).get(row, {}),
            )
            for number, (row, distractors) in enumerate(views, start=1)
        )
        samples.append(Sample(identity, (categories or {}).get(identity), "test", tuple(made)))
        rows.append(SampleRows(identity, tuple(ViewRows(row, dict(distractors)) for row, distractors in views)))
    return PlacedSamples(tuple(samples), tuple(rows))


def random_split(seed: int, count: int = 8, dim: int = 6) -> tuple[PlacedSamples, Embeddings]:
    """Identities with 1 to 3 views, some distractors missing, some shared by two views."""
    rng = np.random.default_rng(seed)
    identities: dict[str, list[tuple[int, dict[str, int]]]] = {}
    row = 0
    for number in range(count):
        views: list[tuple[int, dict[str, int]]] = []
        for _ in range(int(rng.integers(1, 4))):
            sources = [name for name in ("recolour", "sibling") if rng.random() < 0.8]
            views.append((row, {name: row + 1 + place for place, name in enumerate(sources)}))
            row += 1 + len(sources)
        if len(views) > 1 and rng.random() < 0.3 and views[0][1]:
            views[1][1].update(views[0][1])
        identities[f"thing-{number}"] = views
    return place(identities), unit_rows(rng.standard_normal((row, dim)))
