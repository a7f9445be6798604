"""A report on many identities is still small enough to send."""

from pathlib import Path

import numpy as np
from PIL import Image
from placed_samples import place

from nearid_search.eval.embedded_split import Dropped, EmbeddedSplit
from nearid_search.eval.encode_pictures import Picture
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.evaluate import EvalOptions, judge_readout
from nearid_search.eval.report import render_report
from nearid_search.records import Failure
from nearid_search.similarity import unit_rows
from nearid_search.trainer.datasets.image_sources import FileImage

SOURCES = [f"source-{number}" for number in range(16)]


def many_identities(folder: Path, count: int) -> EmbeddedSplit:
    """Identities with two views and up to 16 distractors each, in a category of their own, under random embeddings."""
    rng = np.random.default_rng(0)
    identities, row = {}, 0
    for number in range(count):
        views = []
        for _ in range(2):
            views.append((row, {source: row + 1 + place for place, source in enumerate(SOURCES[:: 1 + number % 4])}))
            row += 1 + len(views[-1][1])
        identities[f"thing-{number}" * 4] = views
    # Noise, which JPEG cannot make small: no picture of this size takes more.
    pictures = []
    for number in range(40):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (192, 192, 3), dtype=np.uint8)).save(path)
        pictures.append(Picture(FileImage(path)))
    return EmbeddedSplit(
        name="test",
        placed=place(identities, categories={name: f"category of {name}" for name in identities}),
        masked=place({}),
        unmasked=place({}),
        fillers=np.zeros(0, np.int64),
        pictures=tuple(pictures[number % 40] for number in range(row)),
        keys=tuple(str(number) for number in range(row)),
        embeddings={name: unit_rows(rng.standard_normal((row, 8))) for name in ("head", "frozen")},
        dropped=Dropped(failures=tuple(Failure(f"{number}.png" * 9, "no picture") for number in range(5_000))),
    )


def test_five_hundred_identities_with_a_category_each_stay_below_five_megabytes(tmp_path: Path) -> None:
    embedded = many_identities(tmp_path, 500)
    options = EvalOptions(resamples=5)
    report = EvalReport(
        dataset="set",
        split="test",
        seed=0,
        resamples=5,
        command="",
        versions={},
        backbone="toy",
        encoder="toy",
        data_sha256="0" * 64,
        readouts={name: judge_readout(embedded, name, name, options) for name in embedded.embeddings},
        baselines=(),
        differences={},
        embedded=embedded,
    )
    text = render_report(report)
    assert text.count("<article") == 24
    assert text.count('<figure class="chart"') == 16
    assert "400 more are in the output of --json" in text
    assert "4,980 more are in the output of --json" in text
    assert len(text.encode()) < 5_000_000
