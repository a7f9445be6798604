"""Where does a head fail? Shares of won margins by source, category, angle, size in the frame and size of the change.

Reads a set that `render_identities.py` made. A margin is the score of two views of a thing, less the score of the
first with a distractor on its own background; it is won above zero. Prints one JSON object: for each group of margins
the share that is won (PA), with a 95 % interval from resampling identities. With `--sheet`, also draws lost margins of
each source, those around the median: the view, the distractor that scored higher, and the other view of the thing.

    python benchmarks/where_it_fails.py identities --head auto --sheet failures.jpg
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import DatasetError
from nearid_search.eval.encode_pictures import Picture, encode_pictures
from nearid_search.eval.intervals import RESAMPLES, bootstrap_interval
from nearid_search.eval.readouts import OwnReadout
from nearid_search.trainer.datasets.image_sources import FileImage

COLUMNS = (
    *("path", "identity", "view", "role", "source", "split", "category", "collection", "yaw", "light_azimuth", "fill"),
    *("changed_share", "occluded", "mesh", "other", "creator", "licence"),
)
_FEWEST = 20
"""A category of fewer identities is not told apart: its interval would say nothing."""
_TILE, _ROWS, _SOURCES_ABREAST = 150, 3, 3

Row = dict[str, Any]


class Margin(NamedTuple):
    """One comparison: a view with another of its identity, and with a distractor on its own background."""

    view: Row
    other: Row
    distractor: Row

    @property
    def groups(self) -> dict[str, str]:
        """Its group by each question."""
        source = self.distractor["source"]
        return {
            "source": source,
            "category": self.view["category"],
            "collection": self.view["collection"],
            "angle between the views": _bin(abs(self.view["yaw"] - self.other["yaw"]), (20, 40, 60), "°"),
            "light turned by": _bin(abs(self.view["light_azimuth"] - self.other["light_azimuth"]), (45, 90, 150), "°"),
            "smaller view's share of the frame": _bin(min(self.view["fill"], self.other["fill"]), (0.5, 0.6, 0.75), ""),
            "occluded": "either view" if self.view["occluded"] or self.other["occluded"] else "neither view",
            f"{source}, changed share": _bin(self.distractor["changed_share"], (0.15, 0.3, 0.6), ""),
        }


def read_margins(folder: Path, split: str) -> list[Margin]:
    """Read every margin of a split.

    Args:
        folder: holds ``manifest.parquet``, to whose paths it is the root.
        split: ``train``, ``val`` or ``test``.

    Raises:
        DatasetError: if the split has none.
    """
    table = pq.read_table(folder / "manifest.parquet", columns=list(COLUMNS))
    rows = table.filter(pc.equal(table["split"], split)).to_pylist()
    views: dict[str, list[Row]] = {}
    distractors: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["role"] == "positive":
            views.setdefault(row["identity"], []).append(row)
        elif row["role"] == "distractor":
            distractors.setdefault((row["identity"], row["view"]), []).append(row)
    found = [
        Margin(view, other, distractor)
        for own in views.values()
        for view, other in permutations(own, 2)
        for distractor in distractors.get((view["identity"], view["view"]), [])
    ]
    if not found:
        raise DatasetError(f"{folder}: split {split!r} has no two views of one thing with a distractor")
    return found


def score_margins(folder: Path, margins: Sequence[Margin], encoder: IdentityEncoder) -> NDArray[np.float64]:
    """Embed every picture once and return the (M,) margins; NaN where a picture cannot be read."""
    paths = sorted({row["path"] for margin in margins for row in margin})
    pictures = {path: Picture(FileImage(folder / path)) for path in paths}
    readout = OwnReadout(encoder)
    encoded = encode_pictures(pictures.values(), readout)
    rows = {path: encoded.rows.get(picture, -1) for path, picture in pictures.items()}
    vectors = encoded.embeddings[readout.name].astype(np.float64)
    vectors = np.concatenate([vectors, np.full((1, vectors.shape[1]), np.nan)])  # row -1
    views, others, distractors = (
        vectors[[rows[getattr(margin, name)["path"]] for margin in margins]] for name in Margin._fields
    )
    return np.asarray((views * others).sum(axis=1) - (views * distractors).sum(axis=1))


def judge(margins: Sequence[Margin], values: NDArray[np.float64], *, seed: int, resamples: int) -> dict[str, Any]:
    """Return the share of margins won by question and group, JSON-ready."""
    identities = np.array([margin.view["identity"] for margin in margins])
    won = np.where(np.isnan(values), np.nan, values > 0)
    members: dict[str, dict[str, list[int]]] = {}
    for number, margin in enumerate(margins):
        for question, group in margin.groups.items():
            members.setdefault(question, {}).setdefault(group, []).append(number)
    report: dict[str, Any] = {}
    for question, groups in sorted(members.items()):
        for group, numbers in sorted(groups.items()):
            if question == "category" and len(set(identities[numbers])) < _FEWEST:
                continue
            interval = bootstrap_interval(won[numbers], identities[numbers], seed=seed, resamples=resamples)
            report.setdefault(question, {})[group] = interval.as_dict()
    return report


def draw_sheet(folder: Path, margins: Sequence[Margin], values: NDArray[np.float64]) -> Image.Image:
    """Draw lost margins, a column of three a source: around the median, each of another identity."""
    losses = typical_losses(margins, values)
    block = _ROWS * _TILE + 20
    height = -(-len(losses) // _SOURCES_ABREAST) * block
    sheet = Image.new("RGB", (min(len(losses), _SOURCES_ABREAST) * 3 * _TILE, height), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (source, lost) in enumerate(losses.items()):
        left, top = number % _SOURCES_ABREAST * 3 * _TILE, number // _SOURCES_ABREAST * block
        pen.text((left + 4, top + 4), f"{source}: view | distractor, preferred | the thing itself", fill="black")
        for row, margin in enumerate(lost):
            for place, shown in enumerate((margin.view, margin.distractor, margin.other)):
                with Image.open(folder / shown["path"]) as picture:
                    tile = picture.convert("RGB").resize((_TILE - 4, _TILE - 4))
                sheet.paste(tile, (left + place * _TILE, top + 20 + row * _TILE))
    return sheet


def typical_losses(margins: Sequence[Margin], values: NDArray[np.float64]) -> dict[str, list[Margin]]:
    """Return what the sheet shows, by source."""
    sources = sorted({margin.distractor["source"] for margin in margins})
    return {source: [margins[number] for number in _near_median(margins, values, source)] for source in sources}


def credits_of(losses: dict[str, list[Margin]], margins: Sequence[Margin]) -> list[str]:
    """Return mesh, creator and licence of every thing that is shown, as far as ``margins`` know them."""
    known = {margin.view["mesh"]: f"{margin.view['creator']}, {margin.view['licence']}" for margin in margins}
    shown = [margin for lost in losses.values() for margin in lost]
    meshes = {margin.view["mesh"] for margin in shown} | {margin.distractor["other"] for margin in shown}
    return sorted(f"{mesh}: {known.get(mesh, 'see manifest.json')}" for mesh in meshes)


def _near_median(margins: Sequence[Margin], values: NDArray[np.float64], source: str) -> Iterator[int]:
    lost = [n for n, margin in enumerate(margins) if margin.distractor["source"] == source and values[n] <= 0]
    middle = float(np.median(values[lost])) if lost else 0.0
    seen: set[str] = set()
    for number in sorted(lost, key=lambda number: (abs(values[number] - middle), number)):
        if (identity := margins[number].view["identity"]) not in seen:
            seen.add(identity)
            yield number
        if len(seen) == _ROWS:
            return


def _bin(value: float, edges: Sequence[float], unit: str) -> str:
    """Name the range that a value is in; names sort as their ranges do."""
    place = int(np.searchsorted(edges, value, side="right"))
    low = f"{edges[place - 1]:g}" if place else "0"
    return f"{place}: {low} to {edges[place]:g}{unit}" if place < len(edges) else f"{place}: {low}{unit} and more"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="test", help="train, val or test (default: %(default)s)")
    parser.add_argument("--head", default="auto", help="folder of a head, auto or none (default: %(default)s)")
    parser.add_argument("--backbone", help="by default the head's")
    parser.add_argument("--sheet", type=Path, help="draw lost margins into this picture")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of every interval (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default: %(default)s)")
    options = parser.parse_args(arguments)
    encoder = IdentityEncoder.open(options.backbone, head=options.head)
    margins = read_margins(options.folder, options.split)
    values = score_margins(options.folder, margins, encoder)
    groups = judge(margins, values, seed=options.seed, resamples=options.resamples)
    facts = {"split": options.split, "encoder": encoder.fingerprint, "seed": options.seed, "margins": len(margins)}
    if options.sheet is not None:
        draw_sheet(options.folder, margins, values).save(options.sheet, quality=80)
        facts["shown"] = credits_of(typical_losses(margins, values), margins)
    print(json.dumps({**facts, "pa": groups}))


if __name__ == "__main__":
    main()
