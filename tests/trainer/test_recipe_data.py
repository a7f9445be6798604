"""What a training run does with a dataset that is damaged, changed, leaking or too small."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from recipe_cases import config_for, make_dataset, place

from nearid_search import train
from nearid_search.errors import DatasetError, TrainingError
from nearid_search.head_file import load_head


def test_a_run_does_not_go_on_with_other_data_than_it_began_with(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", things={"train": 4, "val": 2})
    config = config_for(dataset, tmp_path / "head", epochs=1)
    head = train(config).head
    place(dataset / "train/thing-01/1/positive.png", 900, 11)
    with pytest.raises(TrainingError, match=r"checkpoint\.safetensors is of a run that differs in data: delete it"):
        train(config)
    assert load_head(tmp_path / "head").fingerprint == head


def test_an_image_whose_mask_is_broken_is_reported_once_and_left_out(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", things={"train": 4, "val": 2}, views=3)
    (dataset / "train/thing-01/1/mask.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    settings = {"epochs": 1, "augment": {"variants": 1, "foreground": 0.5}}
    report = train(config_for(dataset, tmp_path / "head", **settings))
    assert [Path(failure.path).name for failure in report.failures] == ["mask.png"]
    assert report.images == 34  # without the view and its distractor


def test_without_distractors_it_warns_and_trains(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", things={"train": 4, "val": 2}, distractors=False)
    report = train(config_for(dataset, tmp_path / "head", epochs=1))
    assert "distractor" in " ".join(report.warnings)
    assert report.scores.n_samples == 0
    assert report.scores.n_queries == 4


def test_a_picture_that_cannot_be_decoded_is_reported_and_left_out(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", things={"train": 4, "val": 2}, views=3)
    (dataset / "train/thing-01/1/positive.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    report = train(config_for(dataset, tmp_path / "head", epochs=1))
    assert [Path(failure.path).parent.parent.name for failure in report.failures] == ["thing-01"]
    assert report.images == 35


def test_a_leak_is_refused_before_the_backbone_runs(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", things={"train": 3, "val": 2})
    place(dataset / "val/thing-04/1/positive.png", 1, 11)
    with pytest.raises(DatasetError, match="two splits"):
        train(config_for(dataset, tmp_path / "head"))
    assert not (tmp_path / "head").exists()


@pytest.mark.parametrize(
    ("things", "views"),
    [({"train": 1, "val": 2}, 2), ({"train": 3, "val": 2}, 1), ({"train": 3, "test": 2}, 2)],
    ids=["one identity", "one view", "no val"],
)
def test_too_little_is_refused_before_the_backbone_runs(tmp_path: Path, things: dict[str, int], views: int) -> None:
    dataset = make_dataset(tmp_path / "data", things=things, views=views, distractors=False)
    with pytest.raises(DatasetError, match=r"has one identity in train|views or more, at least \d needed"):
        train(config_for(dataset, tmp_path / "head"))
    assert not (tmp_path / "head").exists()
