"""Print the lines that `head_experiments.py` wrote as a table for `docs/decisions.md`.

python benchmarks/experiment_table.py benchmarks/results/head_settings.jsonl --sources sibling recolour retexture
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--sources", nargs="*", default=[], help="distractor sources whose PA gets a column")
    options = parser.parse_args(arguments)
    lines = [json.loads(line) for line in options.results.read_text(encoding="utf-8").splitlines()]
    names = ["run", "SSR", "PA", "PA less the first run's", "Recall@5"]
    names += [*(f"PA {name}" for name in options.sources), "min"]
    print(f"| {' | '.join(names)} |")
    print("|---" * len(names) + "|")
    for line in lines:
        sources = [f"{line['per_source'][name]['pa']['value']:.3f}" for name in options.sources]
        less = line["less_first_run"].get("pa")
        cells = [line["run"], *(show_interval(line["head"][name]) for name in ("ssr", "pa"))]
        cells += [
            "" if less is None else show_interval(less, signed=True),
            show_interval(line["head"]["recall@5"]),
            *sources,
        ]
        cells.append(f"{line['seconds'] / 60:.0f}")
        print(f"| {' | '.join(cells)} |")


def show_interval(found: dict[str, Any], *, signed: bool = False) -> str:
    """Return a figure with its interval as the documents have it, such as ``.762 (.715 to .808)``."""
    value, low, high = (_short(found[name], signed=signed) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _short(value: float | None, *, signed: bool) -> str:
    """Three decimals without the zero before the point."""
    if value is None:
        return "none"
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


if __name__ == "__main__":
    main()
