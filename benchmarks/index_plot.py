"""Draw and tabulate what `index_scale.py` measured.

    python benchmarks/index_plot.py

writes `docs/pictures/index-scale.svg` (needs matplotlib) and prints a Markdown table.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from index_scale import read_lines
from record import RESULTS

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "index-scale.svg"
NAMES = {
    "nearid": "nearid-search",
    "nearid-graph": "nearid-search, graph",
    "faiss": "FAISS, same index",
    "lancedb": "LanceDB",
    "usearch": "usearch",
}
COLUMNS = (
    "system", "rows", "index", "rank-1 lost, points", "recall@10", "p50, ms", "p95, ms", "queries/s", "build, s",
    "index, MB", "peak build, MiB", "peak search, MiB",
)  # fmt: skip


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS / "index_scale.jsonl")
    parser.add_argument("--out", type=Path, default=PICTURE)
    options = parser.parse_args()
    lines = read_lines(options.results)
    for row in (COLUMNS, ["---"] * len(COLUMNS), *(table_row(line) for line in lines if line["rows"])):
        print("| " + " | ".join(row) + " |")
    draw(lines, options.out)


def table_row(line: dict[str, Any]) -> list[str]:
    """Return the cells of one line of results."""
    loss, peaks = line["loss_points"], line["peak_mib"]
    return [
        NAMES.get(line["system"], line["system"]),
        f"{line['rows']:,}",
        line["index"],
        f"{loss['value']:.2f} ({loss['low']:.2f} to {loss['high']:.2f})",
        f"{line['recall@10']:.3f}",
        *(f"{np.median(line[name]):.2f}" for name in ("p50_ms", "p95_ms")),
        f"{np.median(line['batch_queries_per_s']):,.0f}",
        f"{line['build_s']:.1f}",
        f"{line['index_bytes'] / 1e6:,.0f}",
        f"{peaks['build']:,.0f}",
        f"{peaks['search']:,.0f}",
    ]


def draw(lines: list[dict[str, Any]], out: Path) -> None:
    """Draw time and loss against the size, with what reading every vector costs at least."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    times, losses = figure.subplots(1, 2)
    sizes = sorted({line["rows"] for line in lines if line["rows"]})
    for system in dict.fromkeys(line["system"] for line in lines if line["rows"]):
        own = sorted((line for line in lines if line["system"] == system), key=lambda line: int(line["rows"]))
        rows = [line["rows"] for line in own]
        style: dict[str, Any] = {
            "marker": "o",
            "label": NAMES.get(system, system),
            "zorder": 3 if system == "nearid" else 2,
        }
        times.plot(rows, [float(np.median(line["p50_ms"])) for line in own], **style)
        losses.plot(rows, [line["loss_points"]["value"] for line in own], **style)
    for line in lines:
        if line["system"] == "bandwidth":
            rate = line["gb_per_s"]["median"]
            limit = [4 * 256 * size / rate / 1e6 for size in sizes]
            times.plot(sizes, limit, "k--", linewidth=1, label=f"reading every vector at {rate:.0f} GB/s")
    for axes, title in ((times, "one warm query, median, ms"), (losses, "identity rank-1 lost, points of 100")):
        axes.set(xscale="log", xlabel="rows of 256 numbers", title=title)
        axes.grid(visible=True, alpha=0.3)
    times.set_yscale("log")
    losses.set_yscale("symlog", linthresh=0.1)
    figure.legend(*times.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
