"""Do several looks at one picture make a better embedding: its mirror image, its middle, where the head looks, larger?

Each look is encoded by the same head; an embedding of several is the mean of theirs, scaled to length 1, so that its
scores are close to the mean of all theirs. Each is judged against one plain look on the same samples, and on
photographs from shops (see `shop_photographs.py`).

    python benchmarks/more_looks.py identities --split val
    python benchmarks/more_looks.py --shop grocery_packages
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import load_average, write_result
from shop_photographs import rank
from whole_pictures import embed_whole

from nearid_search.backbones.registry import open_backbone
from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.comparisons import compare_readouts
from nearid_search.eval.evaluate import EvalOptions, judge_readout
from nearid_search.eval.readouts import HEAD, OTHER, Vectors
from nearid_search.head_numpy import attention, embed
from nearid_search.images import read_image
from nearid_search.similarity import unit_rows
from nearid_search.trainer.datasets import open_dataset

PLAIN = "plain"
MIXES: Mapping[str, tuple[str, ...]] = {
    PLAIN: (PLAIN,),
    "attended": ("attended",),
    "large": ("large",),
    "plain and mirrored": (PLAIN, "mirrored"),
    "plain and middle": (PLAIN, "middle"),
    "plain and attended": (PLAIN, "attended"),
    "plain and large": (PLAIN, "large"),
    "all": (PLAIN, "mirrored", "middle", "attended", "large"),
}
FIGURES = ("ssr", "pa", "recall@1", "recall@5")
_LARGE = "dinov2-small:size=336,layers=2-4-6-8,colour"  # as the head's backbone, but for the size
_MIDDLE = 0.75  # of each side
_LEAST = 0.5  # of a side that is looked at
_REACH = 2.2  # standard deviations of attention to each side


class _SameSize(IdentityEncoder):
    """Leaves pictures as they are: the looks are taken from all their pixels, and all of a set are of one size."""

    def prepare(self, pixels: NDArray[np.uint8], file: str | None = None) -> NDArray[np.uint8]:  # noqa: ARG002
        return pixels


class Looks:
    """Every mix of looks as a readout; see ``eval.readouts.ReadoutSet``."""

    def __init__(self) -> None:
        self.encoder = _SameSize.open(device="cpu")
        assert self.encoder.head is not None
        self._head = self.encoder.head
        self._large = open_backbone(_LARGE, device="cpu")
        self.fingerprints: Mapping[str, str] = dict.fromkeys(MIXES, self.encoder.fingerprint)

    def vectors(self, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> dict[str, Vectors]:
        """Embed every mix of (H, W, 3) pictures."""
        plain = self._resized(images)
        tokens = self.encoder.backbone.tokens(plain)
        boxes = [attended_square(share) for share in attention(self._head.spec, self._head.arrays, tokens)[0]]
        looks = {
            PLAIN: embed(self._head.spec, self._head.arrays, tokens),
            "mirrored": self.encoder.encode_prepared(np.ascontiguousarray(plain[:, :, ::-1])),
            "middle": self.encoder.encode_prepared(self._resized([cut(each, _MIDDLE, 0.5, 0.5) for each in images])),
            "attended": self.encoder.encode_prepared(
                self._resized([cut(each, *box) for each, box in zip(images, boxes, strict=True)])
            ),
            "large": embed(
                self._head.spec,
                self._head.arrays,
                self._large.tokens(np.stack([self._large.spec.preprocessing.resize(each) for each in images])),
            ),
        }
        return {name: unit_rows(np.mean([looks[look] for look in mix], axis=0)) for name, mix in MIXES.items()}

    def _resized(self, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.stack([self.encoder.preprocessing.resize(each) for each in images])


def attended_square(shares: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return side and centre (x, y) of the square that attention falls into, as fractions of the picture."""
    side = round(len(shares) ** 0.5)
    grid = shares.reshape(side, side).astype(np.float64)
    places = (np.arange(side) + 0.5) / side
    centres, spreads = [], []
    for axis in (0, 1):
        along = grid.sum(axis=axis) / grid.sum()
        centre = float(along @ places)
        centres.append(centre)
        spreads.append(float(along @ (places - centre) ** 2) ** 0.5)
    return min(1.0, max(_LEAST, 2 * _REACH * max(spreads))), centres[0], centres[1]


def cut(pixels: NDArray[np.uint8], side: float, x: float, y: float) -> NDArray[np.uint8]:
    """Cut out a part, whose side and centre are fractions of the picture's, moved to lie within it."""
    height, width = pixels.shape[:2]
    left, top = (min(max(centre - side / 2, 0), 1 - side) for centre in (x, y))
    rows = slice(round(top * height), round((top + side) * height))
    return np.ascontiguousarray(pixels[rows, round(left * width) : round((left + side) * width)])


def main() -> None:
    """Judge every mix and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("--split", default="val")
    parser.add_argument("--shop", type=Path)
    options = parser.parse_args()
    load_before = load_average()
    looks = Looks()
    if options.dataset is not None:
        write_result("more_looks", judge(options.dataset, options.split, looks), load_before=load_before)
    if options.shop is not None:
        write_result("more_looks_shop", _in_shops(options.shop, looks), load_before=load_before)


def judge(dataset: Path, split: str, looks: Looks) -> dict[str, Any]:
    """Judge every mix on a split, each less the plain look."""
    embedded = embed_whole(open_dataset(dataset).split(split), looks)
    judging = EvalOptions(masked=False)
    reports = {name: judge_readout(embedded, name, looks.encoder.fingerprint, judging) for name in MIXES}
    found: dict[str, Any] = {"split": split, "identities": len(embedded.placed.samples), "mixes": {}}
    for name, report in reports.items():
        figures = {figure: report.figures[figure].as_dict() for figure in FIGURES}
        compared = compare_readouts({HEAD: report, OTHER: reports[PLAIN]}, judging.sampling)[f"{HEAD} - {OTHER}"]
        found["mixes"][name] = {**figures, "less_plain": {figure: compared[figure].as_dict() for figure in FIGURES}}
    return found


def _in_shops(folder: Path, looks: Looks) -> dict[str, Any]:
    paths = sorted(folder.glob("*/*.jpg"))
    parts = [looks.vectors([read_image(path, min_side=looks.encoder.min_side).pixels]) for path in paths]
    return {name: list(rank(paths, np.concatenate([part[name] for part in parts]))) for name in MIXES}


if __name__ == "__main__":
    main()
