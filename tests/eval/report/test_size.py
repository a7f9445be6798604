"""A report on many identities is still small enough to send."""

from pathlib import Path

import numpy as np
from made_reports import made_report
from PIL import Image
from placed_samples import Views, place

from nearid_search.eval.embedded_split import Dropped
from nearid_search.eval.encode_pictures import Picture
from nearid_search.eval.report import render_report
from nearid_search.records import Failure
from nearid_search.similarity import unit_rows
from nearid_search.trainer.datasets.image_sources import FileImage

SOURCES = [f"source-{number}" for number in range(16)]


def many_identities(count: int) -> tuple[dict[str, Views], int]:
    """Identities with two views and up to 16 distractors each, and how many rows they take."""
    identities: dict[str, Views] = {}
    row = 0
    for number in range(count):
        views = []
        for _ in range(2):
            views.append((row, {source: row + 1 + place for place, source in enumerate(SOURCES[:: 1 + number % 4])}))
            row += 1 + len(views[-1][1])
        identities[f"thing-{number}" * 4] = views
    return identities, row


def test_five_hundred_identities_with_a_category_each_stay_below_five_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Noise, which JPEG cannot make small: no picture of this size takes more.
    pictures = []
    for number in range(40):
        pictures.append(Picture(FileImage(tmp_path / f"{number}.png")))
        Image.fromarray(rng.integers(0, 256, (192, 192, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    identities, rows = many_identities(500)
    report = made_report(
        place(identities, categories={name: f"category of {name}" for name in identities}),
        {name: unit_rows(rng.standard_normal((rows, 8))) for name in ("head", "frozen")},
        pictures=tuple(pictures[row % 40] for row in range(rows)),
        dropped=Dropped(failures=tuple(Failure(f"{number}.png" * 9, "no picture") for number in range(5_000))),
    )
    text = render_report(report)
    assert text.count("<article") == 24
    assert text.count('<figure class="chart"') == 16
    assert "400 more are in the output of --json" in text
    assert "4,980 more are in the output of --json" in text
    assert len(text.encode()) < 5_000_000
