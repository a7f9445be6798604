"""Margins by group: what a rendered set's manifest says, against margins computed one by one."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from catalogues import draw
from pyarrow import parquet
from small_heads import write_head
from where_it_fails import credits_of, draw_sheet, judge, read_margins, score_margins, typical_losses

from nearid_search.backbones.registry import open_backbone
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import DatasetError
from nearid_search.similarity import pair_scores

Row = dict[str, str | float | bool | None]


def row(identity: str, view: int, source: str = "", changed: float | None = None, *, split: str = "test") -> Row:
    name = f"distractor-{source}" if source else "positive"
    return {
        "path": f"{split}/{identity}/{view}/{name}.png",
        "identity": identity,
        "view": str(view),
        "role": "distractor" if source else "positive",
        "source": source,
        "split": split,
        "category": "cup",
        "collection": "drawn",
        "yaw": -30.0 + 25 * view,
        "light_azimuth": 60.0 * view,
        "fill": 0.4 + 0.1 * view,
        "changed_share": changed,
        "occluded": view == 1,
        "mesh": identity,
        "other": "vase" if source else None,
        "creator": "A. Maker",
        "licence": "CC0-1.0",
    }


ROWS = [
    *[row("cup", view) for view in (1, 2, 3)],
    row("cup", 1, "recolour", 0.1),
    row("cup", 2, "recolour", 0.9),
    row("cup", 2, "part", 0.2),
    *[row("jug", view) for view in (1, 2)],
    *[row("jug", view, "part", 0.4) for view in (1, 2)],
    row("pan", 1),
    row("pan", 1, "part", 0.7),
    *[row("tin", view, split="train") for view in (1, 2)],
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, each in enumerate(ROWS):
        draw(tmp_path / "set" / str(each["path"]), number)
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "set" / "manifest.parquet")
    return tmp_path / "set"


def test_every_ordered_pair_of_views_meets_each_distractor_of_the_first(folder: Path) -> None:
    margins = read_margins(folder, "test")
    found = sorted((m.view["path"], m.other["path"], m.distractor["source"]) for m in margins)
    expected = [
        (one["path"], other["path"], distractor["source"])
        for one, other in permutations([each for each in ROWS if each["role"] == "positive"], 2)
        for distractor in ROWS
        if one["identity"] == other["identity"] == distractor["identity"]
        and (one["view"], distractor["role"]) == (distractor["view"], "distractor")
    ]
    assert found == sorted(expected)
    with pytest.raises(DatasetError, match="split 'train' has no two views of one thing with a distractor"):
        read_margins(folder, "train")


def test_shares_by_group_are_those_of_margins_computed_one_by_one(folder: Path, tmp_path: Path) -> None:
    backbone = open_backbone("dinov2-small", device="cpu")
    encoder = IdentityEncoder(backbone, head=write_head(tmp_path / "head", backbone.spec))
    margins = read_margins(folder, "test")
    values = score_margins(folder, margins, encoder)
    for margin, value in zip(margins, values, strict=True):
        view, other, distractor = (encoder.encode([folder / each["path"]])[0] for each in margin)
        expected = pair_scores(view, np.stack([other, distractor]))
        assert value == pytest.approx(float(expected[0] - expected[1]), abs=1e-6)
    report = judge(margins, values, seed=0, resamples=50)
    parts = [value > 0 for margin, value in zip(margins, values, strict=True) if margin.distractor["source"] == "part"]
    assert report["source"]["part"]["value"] == pytest.approx(np.mean(parts))
    assert report["source"]["part"]["n"] == len(parts) == 4
    assert set(report["recolour, changed share"]) == {"0: 0 to 0.15", "3: 0.6 and more"}
    assert "category" not in report  # two identities are too few


def test_the_sheet_shows_lost_margins(folder: Path) -> None:
    margins = read_margins(folder, "test")
    values = np.linspace(-1, 1, len(margins))
    assert np.asarray(draw_sheet(folder, margins, values)).std() > 10
    losses = typical_losses(margins, values)
    assert {margin.distractor["source"] for lost in losses.values() for margin in lost} <= losses.keys()
    shown = {margin.view["mesh"] for lost in losses.values() for margin in lost}
    found = credits_of(losses, margins)
    assert found == sorted([f"{mesh}: A. Maker, CC0-1.0" for mesh in shown] + ["vase: see manifest.json"])
