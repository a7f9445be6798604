"""What does a setting of the trainer change? Trains one head a run of a plan and judges all of them alike.

A plan is a TOML file: the ``split`` to judge on (``val`` from the cached features, ``test`` through the whole backbone,
with the frozen readout beside it), ``[base]`` with settings of ``nearid-search train``, and a ``[[run]]``
each with a ``name`` and its own settings over the base. Every run after the first is tested against the first on the
same samples where both read the same backbone. A run that is in the result already is not repeated.

    python benchmarks/head_experiments.py benchmarks/plans/token_codecs.toml --dataset identities --work experiments
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cached_judgement import find_comparable, judge_cached
from record import RESULTS, describe_machine

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.eval_report import EvalReport, ReadoutReport
from nearid_search.eval.evaluate import EvalOptions, evaluate
from nearid_search.eval.paired import PairedDifference
from nearid_search.eval.readouts import HEAD, OTHER
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.datasets import Dataset, open_dataset
from nearid_search.trainer.recipe import Listener, TrainReport, train

FIGURES = ("ssr", "pa", "recall@1", "recall@5", "map")


def main() -> None:
    """Do every run that is not done, one JSON line each."""
    options = parse(__doc__)
    plan = tomllib.loads(options.plan.read_text(encoding="utf-8"))
    result = RESULTS / f"{options.plan.stem}.jsonl"
    done = [json.loads(line)["run"] for line in result.read_text().splitlines()] if result.exists() else []
    first = options.work / plan["run"][0]["name"]
    for run in plan["run"]:
        name, settings = run["name"], {key: value for key, value in run.items() if key != "name"}
        if name not in done:
            line = _do(options.dataset, plan, options.work, name, settings, None if not done else first)
            with result.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"plan": options.plan.stem, **line, **describe_machine()}) + "\n")
            done.append(name)


def parse(description: str | None) -> argparse.Namespace:
    """Read the command line of a script about a plan: ``plan``, ``dataset`` and ``work``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of heads and cached features")
    return parser.parse_args()


def _do(
    dataset: Path, plan: Mapping[str, Any], work: Path, name: str, settings: dict[str, Any], first: Path | None
) -> dict[str, Any]:
    started = time.monotonic()
    config = configure(dataset, plan, work, name, settings)
    print(f"{name}: {json.dumps(settings)}", file=sys.stderr)
    trained = train(config, listener=Listener(on_note=lambda note: print(f"  {note}", file=sys.stderr)))
    seconds = round(time.monotonic() - started)
    split = plan.get("split", "val")
    if split == "val":
        figures = _cached_figures(config, split, first)
    else:
        figures = _figures(_judge(open_dataset(dataset), split, work / name, first, config.backbone))
    line = {"run": name, "settings": settings, "seconds": seconds, **_training(trained)}
    return {**line, "split": split, **figures}


def configure(
    dataset: Path, plan: Mapping[str, Any], work: Path, name: str, settings: Mapping[str, Any]
) -> TrainConfig:
    """Make the configuration of one run of a plan; runs that agree on the features share them."""
    merged = _merge(_merge({}, plan.get("base", {})), settings)
    config = TrainConfig.from_dict({"dataset": str(dataset), "out": str(work / name), **merged})
    return replace(config, features=str(work / "features" / _feature_name(config)))


def _judge(dataset: Dataset, split: str, head: Path, first: Path | None, backbone: str) -> EvalReport:
    encoder = IdentityEncoder.open(backbone, head=head, device="cpu")
    compare = find_comparable(first, encoder.backbone.spec.weights_fingerprint)
    options = EvalOptions(masked=False)  # what masking is worth is another question
    return evaluate(dataset, encoder, split=split, compare=compare, options=options)


def _cached_figures(config: TrainConfig, split: str, first: Path | None) -> dict[str, Any]:
    report, differences = judge_cached(config, split, first)
    return {"head": _of_readout(report), **_by_source(report), **_less_first(differences)}


def _training(report: TrainReport) -> dict[str, Any]:
    return {
        "steps": report.steps,
        "best_step": report.best_step,
        "split_sizes": report.split_sizes,
        "images": report.images,
        "val": report.scores.as_dict(),
        "warnings": list(report.warnings),
    }


def _figures(report: EvalReport) -> dict[str, Any]:
    head, frozen = report.readouts["head"], report.readouts["frozen"]
    differences = report.differences.get(f"{HEAD} - {OTHER}", {})
    return {
        "encoder": report.encoder,
        "head": _of_readout(head),
        "frozen": _of_readout(frozen),
        **_by_source(head),
        **_less_first(differences),
    }


def _of_readout(report: ReadoutReport) -> dict[str, Any]:
    return {name: report.figures[name].as_dict() for name in FIGURES}


def _by_source(report: ReadoutReport) -> dict[str, Any]:
    sources = report.pairs.per_source.items()
    return {"per_source": {name: {"ssr": found.ssr.as_dict(), "pa": found.pa.as_dict()} for name, found in sources}}


def _less_first(differences: Mapping[str, PairedDifference]) -> dict[str, Any]:
    return {"less_first_run": {name: differences[name].as_dict() for name in FIGURES if name in differences}}


def _feature_name(config: TrainConfig) -> str:
    """Name what decides cached features, so that runs that agree on it share them."""
    parts = [config.backbone, config.dtype, *(f"{key}-{value}" for key, value in config.codec.as_dict().items())]
    return "_".join(parts).replace(":", "-").replace(",", "-").replace("=", "-")


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merge(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged


if __name__ == "__main__":
    main()
