"""An evaluation from pictures on disk to the report, with the real backbone."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_heads import write_head
from training_sets import Drawn, file_name, two_views, write_folder, write_manifest

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError, DatasetError, MissingExtraError
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.evaluate import EvalListener, EvalOptions, evaluate, find_fillers
from nearid_search.trainer.datasets import open_dataset

NAMES = ("cup", "jug", "lamp", "pan")
IMAGES = [image for number, name in enumerate(NAMES) for image in two_views("test", name, 100 * number)]
MASKS = [Drawn("test", name, view, "mask", "", 9_000 + view) for name in NAMES[:2] for view in (1, 2)]
QUICK = EvalOptions(resamples=100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("set"), [*IMAGES, *MASKS])


@pytest.fixture(scope="module")
def with_head(tmp_path_factory: pytest.TempPathFactory, encoder: IdentityEncoder) -> IdentityEncoder:
    head = write_head(tmp_path_factory.mktemp("head"), encoder.backbone.spec, seed=1)
    return IdentityEncoder(encoder.backbone, head=head)


@pytest.fixture(scope="module")
def report(folder: Path, with_head: IdentityEncoder) -> EvalReport:
    return evaluate(open_dataset(folder), with_head, options=QUICK, command="nearid-search eval set")


def test_ssr_and_recall_are_those_of_a_loop_over_the_pictures(
    folder: Path, with_head: IdentityEncoder, report: EvalReport
) -> None:
    vectors = dict(zip(IMAGES, with_head.encode([folder / file_name(image) for image in IMAGES]), strict=True))
    views = [image for image in IMAGES if image.role == "positive"]
    margins: dict[tuple[str, str], list[bool]] = {}
    hits = []
    for one in views:
        alike = {other: float(vectors[one] @ vectors[other]) for other in IMAGES if other is not one}
        (partner,) = (other for other in views if other.identity == one.identity and other is not one)
        hits.append(max(alike, key=lambda other: alike[other]) is partner)
        for distractor in IMAGES:
            if distractor.role == "distractor" and (distractor.identity, distractor.view) == (one.identity, one.view):
                won = alike[partner] > alike[distractor]
                margins.setdefault((one.identity, distractor.source), []).append(won)
    figures = report.readouts["head"].figures
    assert figures["ssr"].value == np.mean([all(won) for won in margins.values()])
    assert figures["pa"].value == np.mean([value for won in margins.values() for value in won])
    assert figures["recall@1"].value == np.mean(hits)
    assert (figures["ssr"].n, figures["pa"].n, figures["recall@1"].n) == (8, 16, 8)


def test_the_json_has_the_stable_keys(report: EvalReport) -> None:
    document = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    for readout in ("head", "frozen"):
        for name in ("ssr", "pa", "recall@1", "recall@5", "recall@10", "map", "minp", "fnir@fpir=0.01", "tar@far=0.01"):
            assert {"value", "low", "high", "n"} <= set(document[readout][name]), (readout, name)
        for name in (
            "per_source",
            "per_category",
            "per_views",
            "verification",
            "open_set",
            "masked",
            "ann_gap",
            "cross_view",
        ):
            assert name in document[readout]
        assert set(document[readout]["per_source"]) == {"flux", "sdxl"}
        assert document[readout]["masked"]["n_views"] == 4
        assert document[readout]["masked"]["n_unmasked"] == 4
    assert document["counts"] == {"identities": 4, "views": 8, "distractors": 16, "fillers": 0}
    assert document["command"] == "nearid-search eval set"
    assert document["split"] == "test"
    assert {"nearid-search", "python", "numpy", "pillow", "onnxruntime", "system"} <= set(document["versions"])
    assert document["device"] == "cpu"
    assert len(document["data_sha256"]) == 64


def test_head_and_frozen_stand_side_by_side_and_so_do_the_baselines(report: EvalReport) -> None:
    rows = {row.name: row for row in report.baselines}
    assert list(rows) == ["frozen", "frozen + mask", "mean token", "head", "head + mask"]
    assert {name for name, row in rows.items() if not row.comparable} == {"frozen + mask", "head + mask"}
    assert rows["frozen + mask"].figures["ssr"].n == 4
    assert [row.n_left_out for row in report.baselines] == [0, 12, 0, 0, 12]
    assert report.as_dict()["baselines"][1]["n_left_out"] == 12
    assert rows["head"].figures["ssr"] == report.readouts["head"].figures["ssr"]
    assert set(report.differences) == {"head - frozen"}
    difference = report.differences["head - frozen"]["ssr"].difference
    head, frozen = (report.readouts[name].figures["ssr"].value for name in ("head", "frozen"))
    assert difference.value == pytest.approx(head - frozen)


def test_the_same_evaluation_gives_the_same_figures(
    folder: Path, with_head: IdentityEncoder, report: EvalReport
) -> None:
    again = evaluate(open_dataset(folder), with_head, options=QUICK).as_dict()
    first = report.as_dict()
    for name in ("command", "seconds"):
        del again[name], first[name]
    assert again == first


def test_what_was_judged_is_fingerprinted_by_content(
    tmp_path: Path, folder: Path, encoder: IdentityEncoder, report: EvalReport
) -> None:
    table = write_manifest(tmp_path / "table", IMAGES, ".csv")
    other = write_folder(tmp_path / "other", [IMAGES[0]._replace(seed=7), *IMAGES[1:]])
    hashes = [evaluate(open_dataset(path), encoder, options=QUICK).data_sha256 for path in (folder, table, other)]
    assert hashes[:2] == [report.data_sha256] * 2
    assert hashes[2] != report.data_sha256


def test_without_a_head_there_is_the_frozen_backbone(folder: Path, encoder: IdentityEncoder) -> None:
    found = evaluate(open_dataset(folder), encoder, options=QUICK)
    assert found.as_dict()["head"] is None
    assert set(found.readouts) == {"frozen"}
    assert found.differences == {}


def test_a_second_head_is_tested_on_the_same_samples(
    tmp_path: Path, folder: Path, with_head: IdentityEncoder, report: EvalReport
) -> None:
    assert with_head.head is not None
    same = evaluate(open_dataset(folder), with_head, compare=with_head.head, options=QUICK)
    differences = same.differences["head - other head"]
    assert set(differences) == set(same.readouts["head"].figures)
    shown = {name: each for name, each in differences.items() if not each.difference.reason}
    assert {"ssr", "pa", "recall@1", "map", "tar@far=0.01"} <= set(shown)
    assert {(each.difference.value, each.p_value) for each in shown.values()} == {(0, 1)}
    second = write_head(tmp_path / "second", with_head.backbone.spec, seed=2)
    other = evaluate(open_dataset(folder), with_head, compare=second, options=QUICK)
    assert other.as_dict()["head"] == report.as_dict()["head"]
    assert other.as_dict()["other_head"]["fingerprint"].endswith(second.fingerprint)


def test_masks_are_left_alone_on_request(folder: Path, with_head: IdentityEncoder, report: EvalReport) -> None:
    options = EvalOptions(resamples=20, masked=False)
    notes: list[str] = []
    bare = evaluate(open_dataset(folder), with_head, options=options, listener=EvalListener(on_note=notes.append))
    assert "without background" not in notes[0]
    assert bare.readouts["head"].masked is None
    assert bare.readouts["head"].figures["ssr"].value == report.readouts["head"].figures["ssr"].value
    assert not any("mask" in row.name for row in bare.baselines)


def test_without_distractors_ssr_is_refused_and_recall_given(tmp_path: Path, encoder: IdentityEncoder) -> None:
    bare = write_folder(tmp_path, [image for image in IMAGES if image.role == "positive"])
    frozen = evaluate(open_dataset(bare), encoder, options=QUICK).as_dict()["frozen"]
    assert frozen["ssr"]["value"] is None
    assert "no distractors" in frozen["ssr"]["reason"]
    assert frozen["recall@1"]["n"] == 8
    assert frozen["per_source"] == {}


def test_missing_views_and_distractors_are_counted(tmp_path: Path, encoder: IdentityEncoder) -> None:
    images = [image for image in IMAGES if (image.identity, image.view) != ("cup", 1)]
    images = [image for image in images if (image.identity, image.view, image.role) != ("jug", 2, "distractor")]
    (write_folder(tmp_path, images) / file_name(IMAGES[-1])).write_bytes(b"no picture")
    document = evaluate(open_dataset(tmp_path), encoder, options=QUICK).as_dict()
    frozen = document["frozen"]
    # cup has one view, so its two samples have no margin; jug lost two margins, pan one.
    assert (frozen["ssr"]["n"], frozen["pa"]["n"]) == (6, 9)
    counts = frozen["counts"]
    assert (counts["n_samples_dropped"], counts["n_identities_unpaired"], counts["n_lone"]) == (2, 1, 1)
    assert document["dropped"]["distractors"] == 1
    assert "pan/2/distractor-sdxl.png" in document["dropped"]["failures"][0]["path"]


def test_numbers_of_a_manifest_give_cross_view_recall(tmp_path: Path, encoder: IdentityEncoder) -> None:
    table = write_manifest(tmp_path, IMAGES, ".csv")  # its column "seed" holds numbers
    found = evaluate(open_dataset(table), encoder, options=QUICK).as_dict()["frozen"]["cross_view"]
    assert set(found) == {"seed"}
    assert [(each["low"], each["high"], each["recall@1"]["n"]) for each in found["seed"]["bins"]] == [(10, 10, 8)]


def test_fillers_are_found_and_dilute(tmp_path: Path, folder: Path, encoder: IdentityEncoder) -> None:
    things = [Drawn("train", "other", view, "positive", "", 500 + view) for view in range(30)]
    others = write_folder(tmp_path / "others", things)
    report = evaluate(open_dataset(folder), encoder, fillers=find_fillers(others), options=QUICK)
    fillers = report.readouts["frozen"].fillers
    assert {name: result.n_indexed for name, result in fillers.items()} == {"1x": 48, "all": 54}
    assert report.counts["fillers"] == 30


def test_someone_is_told_the_plan_and_how_it_goes_on(folder: Path, encoder: IdentityEncoder) -> None:
    notes: list[str] = []
    steps: list[tuple[int, int]] = []
    listener = EvalListener(notes.append, lambda done, total: steps.append((done, total)), notes.append)
    evaluate(open_dataset(folder), encoder, options=QUICK, listener=listener)
    assert "4 identities of test; 36 pictures to embed with dinov2-small on cpu, 12 of them without" in notes[0]
    assert notes[1:] == ["frozen", "mean token"]
    assert steps[-1] == (36, 36)


def test_what_must_not_be_judged_is_refused(tmp_path: Path, folder: Path, encoder: IdentityEncoder) -> None:
    dataset = open_dataset(folder)
    with pytest.raises(DatasetError, match=r"has no val split \(it has test\): name another with --split"):
        evaluate(dataset, encoder, split="val")
    with pytest.raises(DatasetError, match="split 'dev': expected train, val or test"):
        evaluate(dataset, encoder, split="dev")
    leaking = write_folder(tmp_path / "leak", [*IMAGES, Drawn("train", "cup", 1, "positive", "", 77)])
    with pytest.raises(DatasetError, match=r"1 identities are in two splits.*cup"):
        evaluate(open_dataset(leaking), encoder)
    with pytest.raises(DatasetError, match="is no folder"):
        find_fillers(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        find_fillers(tmp_path / "empty")


@pytest.mark.parametrize(
    ("backend", "error", "message"),
    [
        ("faiss-flat", MissingExtraError, r"pip install 'nearid-search\[cpu\]'"),
        ("lance-ivf-rq", ConfigError, "searches a stored gallery"),
    ],
)
def test_a_backend_that_cannot_be_had_is_refused_before_any_work(
    folder: Path,
    encoder: IdentityEncoder,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    done: list[int] = []
    listener = EvalListener(on_embed=lambda *_: done.append(1))
    with pytest.raises(error, match=message):
        evaluate(open_dataset(folder), encoder, options=EvalOptions(backend=backend), listener=listener)
    assert not done


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resamples": 0}, "resamples must be 1 or more, got 0"),
        ({"folds": 1}, "folds must be 2 or more, got 1"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"batch_size": 0}, "batch_size must be 1 or more, got 0"),
        ({"backend": "pq"}, "unknown backend 'pq'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EvalOptions(**options)
