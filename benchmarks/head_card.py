"""Print the tables of a head's model card from what `scripts/make_head` found out about it.

python benchmarks/head_card.py FOLDER/dinov2-small
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiment_table import show_interval

SETS = {"identities": "unseen meshes", "left-out": "a collection left out", "traced": "traced light"}
KINDS = {
    "sibling": "another thing of the kind",
    "recolour": "other colours",
    "retexture": "other pattern",
    "flavour": "other label",
    "part": "one part changed",
    "proportions": "other proportions",
}


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with the JSON files of one head")
    folder = parser.parse_args().folder
    for name, title in SETS.items():
        path = folder / f"{name}.json"
        if path.exists():
            print("\n".join(_set_tables(title, json.loads(path.read_text()), folder / f"{name}-parts.json")))
    shop = folder / "shop.jsonl"
    for line in map(json.loads, shop.read_text().splitlines() if shop.exists() else []):
        print(f"{line['question']}: {show_interval(line['rank1'])}, n = {line['rank1']['n']}")


def _set_tables(title: str, report: dict[str, Any], parts: Path) -> Iterator[str]:
    head, frozen = report["head"], report["frozen"]
    counts = head["ssr"]
    yield f"\n{title}: {counts['n_clusters']} identities, {head['recall@1']['n']} views\n"
    yield "| distractor | SSR, head | PA, head | SSR, frozen | PA, frozen | samples |"
    yield "|---|---|---|---|---|---|"
    for source, kind in KINDS.items():
        if source in head["per_source"]:
            yield _row(kind, head["per_source"][source], frozen["per_source"][source])
    yield _row("**all**", head, frozen)
    masked = {row["name"]: row for row in report["baselines"]}
    if "head + mask" in masked:
        yield _row("all, background cut out by the true mask", masked["head + mask"], masked["frozen + mask"])
    yield ""
    for name in ("recall@1", "recall@5", "recall@10", "map", "fnir@fpir=0.01"):
        yield f"{name}: {show_interval(head[name])}, frozen {show_interval(frozen[name])}, n = {head[name]['n']}"
    yield f"pictures in the gallery: {head['counts']['n_indexed']}"
    if parts.exists():
        level = json.loads(parts.read_text())
        for name in ("m_o", "m_o_pair"):
            found = ", frozen ".join(show_interval(level[which][name]) for which in ("head", "frozen"))
            yield f"{name}: {found}, n = {level['head'][name]['n']}"


def _row(kind: str, head: dict[str, Any], frozen: dict[str, Any]) -> str:
    cells = [show_interval(found[name]) for found in (head, frozen) for name in ("ssr", "pa")]
    return f"| {kind} | {' | '.join(cells)} | {head['ssr']['n']:,} |"


if __name__ == "__main__":
    main()
