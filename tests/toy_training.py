"""Training runs of a small head on generated tokens, without a backbone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from toy_backbone import TOY_SPEC

from nearid_search.head import MapHead
from nearid_search.head_spec import HeadSpec
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.fit import FitResult, HeadFit, StepReport
from nearid_search.trainer.run_log import LOG_NAME
from nearid_search.trainer.validation import ValidationScores

HEAD = HeadSpec(token_dims=(3, 5), width=8, num_heads=2, num_probes=2, mlp_dim=16, out_dim=6)
NUM_THINGS, VIEWS = 12, 3


def make_store(folder: Path, *, likeness: float, loudness: float) -> FeatureStore:
    """Every view is followed by its distractor, a thing ``likeness`` of which is the view's, on the same background."""
    rng = np.random.default_rng(0)
    store = FeatureStore(folder, TOY_SPEC)
    things = rng.standard_normal((NUM_THINGS, 2, 3))
    things[:, 1] = likeness * things[:, 0] + (1 - likeness) * things[:, 1]
    for number in range(NUM_THINGS):
        for view in range(VIEWS):
            backgrounds = [rng.standard_normal((scale.num_tokens, scale.dim)) for scale in TOY_SPEC.token_scales]
            for kind in range(2):
                tokens = [background * loudness for background in backgrounds]
                for scale in tokens:
                    scale[0, :3] = things[number, kind]
                store.append([f"{number}-{view}-{kind}"], [scale[None].astype(np.float32) for scale in tokens])
    return store


def samples(first: int, last: int) -> list[SampleRows]:
    return [
        SampleRows(
            str(number),
            tuple(ViewRows(row, {"other": row + 1}) for row in range(2 * VIEWS * number, 2 * VIEWS * (number + 1), 2)),
        )
        for number in range(first, last)
    ]


class Run:
    """One run in a folder; keeps what it was told."""

    def __init__(
        self,
        out: Path,
        store: FeatureStore,
        variants: dict[int, NDArray[np.int64]] | None = None,
        *,
        device: str = "cpu",
        **settings: object,
    ) -> None:
        out.mkdir(exist_ok=True)
        document = {"batch_size": 4, "epochs": 30, "learning_rate": 0.01, "warmup_steps": 5, "validate_every": 10}
        self.config = TrainConfig.from_dict({"dataset": "x", "out": str(out), **document, **settings})
        self.out, self.head, self.kept = out, MapHead(HEAD, seed=0), list[tuple[int, ValidationScores]]()
        self.fit = HeadFit(
            self.head,
            store,
            samples(0, 8),
            samples(8, NUM_THINGS),
            self.config,
            device=device,
            out=out,
            save_best=lambda _, scores, step: self.kept.append((step, scores)),
            variants=variants,
        )

    def go(self, on_step: Callable[[StepReport], None] | None = None) -> FitResult:
        return self.fit.run(on_step)

    def weights(self) -> dict[str, bytes]:
        return {name: array.tobytes() for name, array in self.head.to_arrays().items()}

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / LOG_NAME).read_text().splitlines()]
