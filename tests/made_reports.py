"""Reports on made-up embeddings, without pictures or backbone."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from placed_samples import place

from nearid_search.eval.embedded_split import Dropped, EmbeddedSplit, PlacedSamples
from nearid_search.eval.encode_pictures import Picture
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.evaluate import EvalOptions, judge_readout
from nearid_search.similarity import Embeddings
from nearid_search.trainer.datasets.image_sources import FileImage


def made_report(
    placed: PlacedSamples,
    embeddings: Mapping[str, Embeddings],
    *,
    pictures: tuple[Picture, ...] = (),
    dropped: Dropped | None = None,
) -> EvalReport:
    """Judge embeddings by readout; a row without a picture gets one that is not there."""
    count = len(next(iter(embeddings.values())))
    nothing = tuple(Picture(FileImage(Path(f"{row}.png"))) for row in range(count))
    embedded = EmbeddedSplit(
        name="test",
        placed=placed,
        masked=place({}),
        unmasked=place({}),
        fillers=np.zeros(0, np.int64),
        pictures=pictures or nothing,
        keys=tuple(map(str, range(count))),
        embeddings=embeddings,
        dropped=dropped or Dropped(),
    )
    options = EvalOptions(resamples=5)
    return EvalReport(
        dataset="set",
        split="test",
        seed=0,
        resamples=5,
        command="",
        device="cpu",
        versions={},
        backbone="toy",
        encoder="toy",
        data_sha256="0" * 64,
        readouts={name: judge_readout(embedded, name, name, options) for name in embeddings},
        baselines=(),
        differences={},
        embedded=embedded,
    )
