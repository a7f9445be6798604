"""How much faster is an epoch from cached features than one with the backbone in the loop?

The sample catalogue's 20 things, each with views of its own and pictures of other things as distractors, decoded and
resized beforehand in every case. In turn: an epoch whose tokens come from the feature store, one that runs the float32
backbone (onnxruntime) on every picture of every batch, and one that runs it in bfloat16 (OpenVINO), its fastest path
on processors with matrix units.

On a GPU (``--device cuda``) torch runs the backbone there in both arithmetics.

    python benchmarks/training_epoch.py --repeats 5
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from record import load_average, summarize, write_result

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.registry import open_backbone
from nearid_search.device import resolve_device
from nearid_search.images import read_image
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.fit import HeadFit
from nearid_search.trainer.new_head import make_head

CATALOG = Path(__file__).parent.parent / "examples" / "catalog"
DISTRACTORS = 3


class BackboneInLoop:
    """Stands where the feature store stands and computes what that would read."""

    def __init__(self, backbone: Backbone, prepared: NDArray[np.uint8]) -> None:
        self._backbone, self._prepared = backbone, prepared

    def tokens(
        self, rows: NDArray[np.int64], *, share: float = 1.0, key: tuple[int, ...] = ()
    ) -> tuple[NDArray[np.float32], ...]:
        """Run the backbone in batches of 8 and take every token."""
        assert share == 1, "only whole pictures are compared"
        del key
        parts = [self._backbone.tokens(self._prepared[rows[start : start + 8]]) for start in range(0, len(rows), 8)]
        return tuple(np.concatenate(scale) for scale in zip(*parts, strict=True))


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    load_before = load_average()
    device = resolve_device(options.device)
    backbone = open_backbone("dinov2-small", device=device, dtype="float32")
    paths = sorted(CATALOG.glob("*/*.jpg"))
    prepared = np.stack([backbone.spec.preprocessing.resize(read_image(path).pixels) for path in paths])
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "features", backbone.spec)
        for number, image in enumerate(prepared):
            store.append([str(number)], backbone.tokens(image[None]))
        fast = open_backbone("dinov2-small", device=device, dtype="bfloat16")
        sources: dict[str, Any] = {
            "store": store,
            "backbone_float32": BackboneInLoop(backbone, prepared),
            "backbone_bfloat16": BackboneInLoop(fast, prepared),
        }
        fits = {name: _fit(source, backbone, paths, Path(folder), device) for name, source in sources.items()}
        seconds: dict[str, list[float]] = {name: [] for name in sources}
        for repeat in range(options.repeats + 1):
            for name, fit in fits.items():
                taken = _epoch(fit, repeat)
                if repeat:  # the first one warms up
                    seconds[name].append(taken)
    measured: dict[str, Any] = {
        "images": len(paths),
        "images_an_epoch": 20 * (1 + 2 + DISTRACTORS),
        "seconds_an_epoch": {name: summarize(samples) for name, samples in seconds.items()},
    }
    for name in ("backbone_float32", "backbone_bfloat16"):
        ratios = [loop / cached for loop, cached in zip(seconds[name], seconds["store"], strict=True)]
        measured[f"times_faster_than_{name}"] = summarize(ratios)
    if device != "cpu":
        measured["gpu"] = torch.cuda.get_device_name(0)
    write_result("training_epoch" if device == "cpu" else "training_epoch_gpu", measured, load_before=load_before)


def _fit(source: Any, backbone: Backbone, paths: list[Path], out: Path, device: str) -> HeadFit:  # noqa: ANN401
    config = TrainConfig(dataset="-", out=str(out), epochs=1000, batch_size=10)
    samples = _samples(paths)
    return HeadFit(
        make_head(config.head, backbone, seed=0),
        source,
        samples,
        samples,
        config,
        device=device,
        out=out,
        save_best=lambda *_: None,
    )


def _samples(paths: list[Path]) -> list[SampleRows]:
    rng = np.random.default_rng(0)
    names = [path.parent.name for path in paths]
    samples = []
    for name in sorted(set(names)):
        others = [row for row, other in enumerate(names) if other != name]
        views = [
            ViewRows(
                row, {str(place): int(other) for place, other in enumerate(rng.choice(others, DISTRACTORS, False))}
            )
            for row, own in enumerate(names)
            if own == name
        ]
        samples.append(SampleRows(name, tuple(views)))
    return samples


def _epoch(fit: HeadFit, epoch: int) -> float:
    started = time.perf_counter()
    for step in range(2 * epoch, 2 * epoch + 2):
        fit.step(step)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
