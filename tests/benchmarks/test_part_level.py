"""Views and their changed twins: which are paired, and that each similarity meets its own oracle."""

import json
import math
from itertools import combinations
from pathlib import Path

import metric_oracles
import numpy as np
import part_level
import pyarrow as pa
import pytest
from catalogues import draw
from part_level import ChangedView, judge, pair_views, read_changed_views, score_pairs
from pyarrow import parquet
from small_heads import write_head

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import DatasetError, UnreadableImageError
from nearid_search.eval.metrics import metric_to_oracle
from nearid_search.similarity import Embeddings, unit_rows

Row = dict[str, str | float | None]


def row(identity: str, view: str, source: str = "", oracle: float | None = None, split: str = "test") -> Row:
    name = f"distractor-{source}" if source else "positive"
    path = f"{split}/{identity}/{view}/{name}.png"
    role = "distractor" if source else "positive"
    facts = {"path": path, "identity": identity, "view": view, "role": role, "source": source, "split": split}
    return {**facts, "oracle": oracle}


def write_set(folder: Path, rows: list[Row]) -> Path:
    for number, each in enumerate(rows):
        draw(folder / str(each["path"]), number)
    parquet.write_table(pa.Table.from_pylist(rows), folder / "manifest.parquet")
    return folder


ROWS = [
    *[row("cup", view) for view in ("1", "2", "3", "4")],
    *[row("cup", view, "part", oracle) for view, oracle in (("4", 0.4), ("1", 0.1), ("2", 0.2))],
    row("cup", "3", "recolour"),
    *[row("jug", view) for view in ("1", "2")],
    *[row("jug", view, "part", oracle) for view, oracle in (("1", 0.5), ("2", 0.9))],
    row("pan", "1"),
    row("pan", "1", "part", 0.7),
    *[row("tin", view, split="train") for view in ("1", "2")],
    *[row("tin", view, "part", 0.3, split="train") for view in ("1", "2")],
]
"""A view without a changed part, an identity with one pair, one with none, and one of another split."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", ROWS)


def random_views(rng: np.random.Generator) -> tuple[list[ChangedView], Embeddings, Embeddings]:
    """Seven things in none to four views."""
    counts = [4, 1, 2, 3, 4, 2, 3]
    views = [
        ChangedView(f"thing-{number}", str(view), Path("plain"), Path("changed"), float(rng.random()))
        for number, count in enumerate(counts)
        for view in range(count)
    ]
    plain, changed = (unit_rows(rng.normal(size=(len(views), 6)).astype(np.float32)) for _ in range(2))
    return views, plain, changed


def test_views_are_read_with_their_own_twin(folder: Path) -> None:
    views, without = read_changed_views(folder, "test")
    assert [(view.identity, view.view, view.oracle) for view in views] == [
        ("cup", "1", 0.1),
        ("cup", "2", 0.2),
        ("cup", "4", 0.4),
        ("jug", "1", 0.5),
        ("jug", "2", 0.9),
        ("pan", "1", 0.7),
    ]
    assert without == 1
    assert views[2].path == folder / "test/cup/4/positive.png"
    assert views[2].changed == folder / "test/cup/4/distractor-part.png"


def test_every_two_views_of_an_identity_are_a_pair_and_no_others(folder: Path) -> None:
    views, _ = read_changed_views(folder, "test")
    assert pair_views(views).tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
    assert pair_views(views[5:]).shape == (0, 2)


def test_scores_are_those_of_a_plain_loop() -> None:
    views, plain, changed = random_views(np.random.default_rng(0))
    scores = score_pairs(views, plain, changed)
    within: tuple[list[float], list[float]] = ([], [])
    across: tuple[list[float], list[float]] = ([], [])
    oracle: tuple[list[float], list[float]] = ([], [])
    for first, second in combinations(range(len(views)), 2):
        if views[first].identity == views[second].identity:
            for side, (own, other) in enumerate([(first, second), (second, first)]):
                within[side].append(float(plain[own] @ changed[own]))
                across[side].append(float(plain[own] @ changed[other]))
                oracle[side].append(views[own].oracle)
    assert scores.within == pytest.approx(np.array(within).T, abs=1e-6)
    assert scores.across == pytest.approx(np.array(across).T, abs=1e-6)
    assert scores.oracle.tolist() == np.array(oracle).T.tolist()
    meeting = [(within[0], 0), (within[1], 1), (across[0], 1), (across[1], 0)]
    correlations = [metric_oracles.pearson(values, oracle[side]) for values, side in meeting]
    figures = scores.figures(resamples=50, seed=1)
    assert figures["m_o"]["value"] == pytest.approx(math.tanh(sum(map(math.atanh, correlations)) / 4), abs=1e-5)
    assert figures["m_o_pair"]["value"] == pytest.approx(
        math.tanh(sum(map(math.atanh, correlations[:2])) / 2), abs=1e-5
    )


def test_the_interval_is_that_of_a_plain_loop_over_drawn_identities() -> None:
    views, plain, changed = random_views(np.random.default_rng(2))
    scores = score_pairs(views, plain, changed)
    names = sorted(set(scores.identities.tolist()))
    assert len(names) == 6, "the thing with one view has no pair"
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(4_000):
        rows = [
            place
            for name in rng.choice(names, len(names))
            for place, owner in enumerate(scores.identities.tolist())
            if owner == name
        ]
        drawn.append(metric_to_oracle(scores.within[rows], scores.across[rows], scores.oracle[rows]).m_o)
    found = scores.figures(resamples=4_000, seed=0)["m_o"]
    assert (found["low"], found["high"]) == pytest.approx(np.nanquantile(drawn, [0.025, 0.975]), abs=0.05)
    assert (found["n"], found["n_clusters"]) == (len(scores.identities), 6)


def test_head_and_frozen_are_judged_on_the_same_samples(folder: Path, encoder: IdentityEncoder, tmp_path: Path) -> None:
    head = write_head(tmp_path / "head", encoder.backbone.spec)
    with_head = IdentityEncoder(encoder.backbone, head=head)
    report = judge(folder, with_head, split="test", resamples=20, seed=5)
    alone = judge(folder, encoder, split="test", resamples=20, seed=5)
    assert (report["split"], report["seed"], report["views"], report["views_without_changed_part"]) == ("test", 5, 6, 1)
    assert report["frozen"] == alone["frozen"]
    assert "head" not in alone
    assert report["head"]["encoder"] == with_head.fingerprint
    assert {report[name][figure]["n"] for name in ("head", "frozen") for figure in ("m_o", "m_o_pair")} == {4}
    views, _ = read_changed_views(folder, "test")
    plain = with_head.encode([view.path for view in views])
    changed = with_head.encode([view.changed for view in views])
    expected = score_pairs(views, plain, changed).figures(resamples=20, seed=5)
    assert report["head"]["m_o"]["value"] == pytest.approx(expected["m_o"]["value"], abs=1e-4)


def test_it_prints_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part_level.main([str(folder), "--backbone", "dinov2-small", "--resamples", "5", "--seed", "3"])
    printed = json.loads(capsys.readouterr().out)
    assert (printed["seed"], printed["resamples"], printed["frozen"]["m_o"]["n_clusters"]) == (3, 5, 2)


def test_what_cannot_be_judged_is_refused(folder: Path, encoder: IdentityEncoder) -> None:
    with pytest.raises(DatasetError, match="no view of split 'val' has a distractor of source 'part'"):
        judge(folder, encoder, split="val", resamples=5, seed=0)
    (folder / "test/jug/1/distractor-part.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableImageError, match=r"test/jug/1/distractor-part\.png"):
        judge(folder, encoder, split="test", resamples=5, seed=0)
