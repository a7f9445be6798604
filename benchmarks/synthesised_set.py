"""Make what `plans/synthesised.toml` compares: distractors that were rendered, and others made from photographs.

Takes identities of a rendered set's train split as a user's photographs with masks, and lets
`nearid-search distractors` make look-alikes of them. The folder then holds two sets of the same identities,
``rendered`` and ``synthesised``; both are validated on the rendered set's own val split.

    python benchmarks/synthesised_set.py identities --out comparison --count 300
    python benchmarks/head_experiments.py benchmarks/plans/synthesised.toml --dataset comparison/rendered --work trials
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Make both sets; what is there already is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rendered", type=Path, help="folder that render_identities.py made")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300, help="identities (default: %(default)s)")
    options = parser.parse_args()
    names = sorted(
        (folder.name for folder in (options.rendered / "train").iterdir()),
        key=lambda name: hashlib.sha256(name.encode()).digest(),
    )[: options.count]
    for name in names:
        source = options.rendered / "train" / name
        _link_tree(source, options.out / "rendered" / "train" / name)
        for view in sorted(source.iterdir()):
            _link(view / "positive.jpg", options.out / "catalogue" / name / f"{view.name}.jpg")
            _link(view / "mask.png", options.out / "masks" / name / f"{view.name}.png")
    catalogue, masks, made = (options.out / folder for folder in ("catalogue", "masks", "synthesised"))
    command = ["distractors", str(catalogue), "--masks", str(masks), "--out", str(made), "--val", "0", "--test", "0"]
    subprocess.run([sys.executable, "-m", "nearid_search", *command], check=True)
    for target in ("rendered", "synthesised"):
        _link_tree(options.rendered / "val", options.out / target / "val")


def _link_tree(source: Path, target: Path) -> None:
    if not target.exists():
        shutil.copytree(source, target, copy_function=os.link)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.link(source, target)


if __name__ == "__main__":
    main()
