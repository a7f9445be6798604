"""Are several heads together better than one, so that a student could learn from them?

Judges the first head of a plan that `head_experiments.py` has trained against the mean embedding of the first two, of
the first three and so on. What an ensemble does not win, a student that is taught by it can hardly win either.

    python benchmarks/head_experiments.py benchmarks/plans/ensemble.toml --dataset identities --work experiments
    python benchmarks/head_ensemble.py benchmarks/plans/ensemble.toml --dataset identities --work experiments
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cached_judgement import embed_cached
from head_experiments import configure, parse
from record import load_average, write_result

from nearid_search.backbones.registry import open_backbone
from nearid_search.eval.comparisons import compare_readouts
from nearid_search.eval.evaluate import EvalOptions, judge_readout
from nearid_search.eval.readouts import HEAD, OTHER
from nearid_search.head_file import load_head
from nearid_search.similarity import unit_rows

FIGURES = ("ssr", "pa", "recall@1", "recall@5")


def main() -> None:
    """Judge every ensemble and write the result."""
    options = parse(__doc__)
    load_before = load_average()
    plan = tomllib.loads(options.plan.read_text(encoding="utf-8"))
    write_result(options.plan.stem, judge(plan, options.dataset, options.work), load_before=load_before)


def judge(plan: Mapping[str, Any], dataset: Path, work: Path) -> dict[str, Any]:
    """Judge the first head of a plan and every ensemble that begins with it.

    Args:
        plan: whose runs are the heads; all read the same features.
        dataset: what they were trained on, which has the split to judge on.
        work: folder of heads and cached features.

    Returns:
        Under ``ensembles`` the figures by number of heads, each less those of the first head alone.
    """
    names = [run["name"] for run in plan["run"]]
    config = configure(dataset, plan, work, names[0], {})
    backbone = open_backbone(config.backbone, device="cpu", dtype=config.dtype)
    weights = backbone.spec.weights_fingerprint
    heads = {name: load_head(work / name, backbone_weights=weights) for name in names}
    embedded = embed_cached(config, plan["split"], backbone, heads)
    each = [embedded.embeddings[name] for name in names]
    together = {str(count): unit_rows(np.mean(each[:count], axis=0)) for count in range(1, len(each) + 1)}
    embedded = replace(embedded, embeddings=together)
    options = EvalOptions(masked=False)
    reports = {count: judge_readout(embedded, count, heads[names[0]].fingerprint, options) for count in together}
    lines = []
    for count, report in reports.items():
        less = compare_readouts({HEAD: report, OTHER: reports["1"]}, options.sampling)[f"{HEAD} - {OTHER}"]
        figures = {name: report.figures[name].as_dict() for name in FIGURES}
        lines.append({"heads": int(count), **figures, "less_one": {name: less[name].as_dict() for name in FIGURES}})
    return {
        "split": plan["split"],
        "identities": len(embedded.placed.samples),
        "first": names[0],
        "ensembles": lines,
    }


if __name__ == "__main__":
    main()
