"""What do the backbones of `plans/tokens.toml` cost? Seconds to read one picture, and kilobytes to keep its tokens.

All of them take turns on the same prepared pictures of the sample catalogue, in another order each round, because a
shared machine changes its speed; a ratio is to the first backbone in the same round. Kilobytes are those of the
plan's codec, as `train` caches them.

    python benchmarks/backbone_cost.py --rounds 10
"""

from __future__ import annotations

import argparse
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from record import load_average, summarize, write_result

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.registry import open_backbone
from nearid_search.images import read_image
from nearid_search.trainer.token_codec import TokenCodec

HERE = Path(__file__).parent
CATALOG = HERE.parent / "examples" / "catalog"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--images", type=int, default=4, help="pictures a turn")
    options = parser.parse_args()
    load_before = load_average()
    plan = tomllib.loads((HERE / "plans" / "tokens.toml").read_text(encoding="utf-8"))
    codec = TokenCodec(**plan["base"]["codec"])
    named = {run["name"]: run.get("backbone", plan["base"]["backbone"]) for run in plan["run"]}
    backbones = {name: open_backbone(backbone, device="cpu") for name, backbone in named.items()}
    seconds = _take_turns(backbones, options.rounds, options.images)
    first = next(iter(backbones))
    ratios = {
        name: [one / base for one, base in zip(each, seconds[first], strict=True)] for name, each in seconds.items()
    }
    found = {name: _describe(backbone, codec, seconds[name], ratios[name]) for name, backbone in backbones.items()}
    write_result("backbone_cost", {"images": options.images, "backbones": found}, load_before=load_before)


def _take_turns(backbones: dict[str, Backbone], rounds: int, count: int) -> dict[str, list[float]]:
    pictures = [read_image(path).pixels for path in sorted(CATALOG.glob("*/*.jpg"))[:count]]
    prepared = {
        name: np.stack([backbone.spec.preprocessing.resize(picture) for picture in pictures])
        for name, backbone in backbones.items()
    }
    for name, backbone in backbones.items():
        backbone.tokens(prepared[name])
    seconds: dict[str, list[float]] = {name: [] for name in backbones}
    order, rng = list(backbones), np.random.default_rng(0)
    for _ in range(rounds):
        rng.shuffle(order)
        for name in order:
            started = time.perf_counter()
            backbones[name].tokens(prepared[name])
            seconds[name].append((time.perf_counter() - started) / count)
    return seconds


def _describe(backbone: Backbone, codec: TokenCodec, seconds: list[float], ratios: list[float]) -> dict[str, Any]:
    scales = backbone.spec.token_scales
    kept = sum(codec.record_dtype(scale.num_tokens, scale.dim).itemsize for scale in scales)
    return {
        "backbone": backbone.spec.name,
        "dtype": backbone.spec.dtype,
        "tokens": [[scale.num_tokens, scale.dim] for scale in scales],
        "kilobytes_an_image": round(kept / 1000, 1),
        "milliseconds_an_image": summarize([1000 * each for each in seconds]),
        "times_the_first": summarize(ratios),
    }


if __name__ == "__main__":
    main()
