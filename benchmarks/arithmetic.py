"""Does the arithmetic of the backbone change an answer?

Judges one head in float32 and in bfloat16 on the same pictures.

python benchmarks/arithmetic.py identities --head head
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from record import load_average, write_result

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.eval_report import ReadoutReport
from nearid_search.eval.evaluate import EvalOptions, evaluate
from nearid_search.eval.paired import PairedDifference, paired_difference
from nearid_search.eval.protocols.pairs import sample_values
from nearid_search.trainer.datasets import open_dataset

DTYPES = ("float32", "bfloat16")
FIGURES = ("ssr", "pa", "recall@1", "recall@5", "map")


def main() -> None:
    """Judge, compare and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--head", type=Path, required=True)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    load_before = load_average()
    dataset = open_dataset(options.dataset)
    reports = {}
    for dtype in DTYPES:
        encoder = IdentityEncoder.open(head=options.head, device="cpu", dtype=dtype)
        reports[dtype] = evaluate(dataset, encoder, split=options.split, options=EvalOptions(masked=False))
    exact, coarse = (reports[dtype].readouts["head"] for dtype in DTYPES)
    counts = reports[DTYPES[0]].counts
    result: dict[str, Any] = {"split": options.split, "counts": counts, "data": reports[DTYPES[0]].data_sha256}
    result |= {
        dtype: {name: report.readouts["head"].figures[name].as_dict() for name in FIGURES}
        for dtype, report in reports.items()
    }
    result["bfloat16_less_float32"] = {name: each.as_dict() for name, each in _differences(coarse, exact).items()}
    write_result("arithmetic", result, load_before=load_before)


def _differences(first: ReadoutReport, second: ReadoutReport) -> dict[str, PairedDifference]:
    found = {}
    one, other = (sample_values(report.pairs.margins.margins) for report in (first, second))
    for name in ("ssr", "pa"):
        (values, weights), (other_values, _) = one[name], other[name]
        found[name] = paired_difference(values, other_values, first.pairs.margins.samples, weights=weights)
    values, other_values = (report.gallery.values["recall@1"] for report in (first, second))
    return {**found, "recall@1": paired_difference(values, other_values, first.gallery.codes)}


if __name__ == "__main__":
    main()
