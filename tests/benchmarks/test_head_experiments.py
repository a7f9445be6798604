"""A plan is carried out once, and heads judged from cached features get what the whole pipeline gives them."""

import json
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("torch")

import head_ensemble
import head_experiments
from cached_judgement import judge_cached
from training_sets import two_views, write_folder

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.evaluate import EvalOptions, evaluate
from nearid_search.eval.readouts import HEAD
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.datasets import open_dataset
from nearid_search.trainer.token_codec import TokenCodec

PLAN = """
split = "val"

[base]
backbone = "dinov2-small"
dtype = "float32"
epochs = 2
batch_size = 4
learning_rate = 3e-3

[base.head]
width = 48
num_heads = 4
mlp_dim = 96
out_dim = 32

[base.codec]
standardise = true

[[run]]
name = "first"

[[run]]
name = "one-probe"
head = { num_probes = 1 }
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    folder = tmp_path_factory.mktemp("experiments")
    images = [two_views("train", f"thing-{number}", 100 * number) for number in range(1, 5)]
    images += [two_views("val", f"other-{number}", 100 * number) for number in range(5, 9)]
    write_folder(folder / "set", [image for identity in images for image in identity])
    (folder / "plan.toml").write_text(PLAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head_experiments, "RESULTS", folder)
        patch.setattr(head_experiments, "describe_machine", dict)  # asks git, and tests may run where there is none
        for _ in range(2):
            arguments = [str(folder / "plan.toml"), "--dataset", str(folder / "set"), "--work", str(folder / "work")]
            patch.setattr("sys.argv", ["head_experiments.py", *arguments])
            head_experiments.main()
    return folder, [json.loads(line) for line in (folder / "plan.jsonl").read_text().splitlines()]


def test_each_run_of_a_plan_is_done_once_and_compared_with_the_first(
    lines: tuple[Path, list[dict[str, object]]],
) -> None:
    _, (first, second) = lines
    assert (first["run"], second["run"]) == ("first", "one-probe")
    assert first["less_first_run"] == {}
    assert set(second["less_first_run"]) >= {"ssr", "pa", "recall@1"}  # type: ignore[call-overload]


def test_cached_features_tell_what_the_whole_pipeline_tells(lines: tuple[Path, list[dict[str, object]]]) -> None:
    folder, _ = lines
    head = folder / "work" / "first"
    dataset = open_dataset(folder / "set")
    config = TrainConfig(
        dataset=str(folder / "set"),
        out=str(head),
        features=str(next((folder / "work" / "features").iterdir())),
        backbone="dinov2-small",
        dtype="float32",
        codec=TokenCodec(standardise=True),
    )
    cached, _ = judge_cached(config, "val", None)
    encoder = IdentityEncoder.open("dinov2-small", head=head, dtype="float32", device="cpu")
    whole = evaluate(dataset, encoder, split="val", options=EvalOptions(masked=False)).readouts[HEAD]
    for name in ("pa", "recall@1", "map"):
        assert cached.figures[name].n == whole.figures[name].n
        assert cached.figures[name].value == pytest.approx(whole.figures[name].value, abs=0.02)


def test_an_ensemble_of_one_is_the_first_head(lines: tuple[Path, list[dict[str, object]]]) -> None:
    folder, (first, _) = lines
    found = head_ensemble.judge(tomllib.loads(PLAN), folder / "set", folder / "work")
    one, two = found["ensembles"]
    assert {name: one[name] for name in head_ensemble.FIGURES} == {
        name: figure
        for name, figure in first["head"].items()  # type: ignore[attr-defined]
        if name in head_ensemble.FIGURES
    }
    assert (one["heads"], two["heads"]) == (1, 2)
    assert one["less_one"]["pa"]["value"] == 0
