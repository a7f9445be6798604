"""From pictures of the sample catalogue to a training set that a head learns from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from distractor_cases import copy_catalogue, tree
from PIL import Image

pytest.importorskip("cv2")

import cv2

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets import check_dataset, open_dataset
from nearid_search.trainer.distractors import DistractorConfig, DistractorReport, Listener, make_distractors
from nearid_search.trainer.distractors.plan import DistractorPlan

CONFIG = DistractorConfig(val=0.3, test=0, size=224, mask_model="saliency")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six things in two views, with a copy, a broken file and a thing of one view."""
    folder = copy_catalogue(tmp_path_factory.mktemp("pictures") / "catalogue")
    shutil.copy(folder / "vase-blue/1.jpg", folder / "vase-blue/copy.jpg")
    (folder / "vase-blue/broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def made(catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DistractorReport]:
    """A whole run."""
    out = tmp_path_factory.mktemp("made") / "dataset"
    return out, make_distractors(catalogue, out, config=CONFIG, device="cpu", command="the command")


def test_the_dataset_opens_and_passes_its_checks(made: tuple[Path, DistractorReport]) -> None:
    out, report = made
    dataset = open_dataset(out)
    assert check_dataset(dataset) == []
    assert {name: len(dataset.split(name)) for name in ("train", "val", "test")} == report.split_sizes
    assert report.split_sizes == {"train": 4, "val": 2, "test": 0}
    assert dataset.num_images == report.pictures
    assert dataset.sources == ("part", "recolour", "swap")
    assert report.views == 12
    assert sum(report.sources.values()) + sum(
        sum(reasons.values()) for what, reasons in report.rejected.items() if what != "mask"
    ) == 3 * sum(report.masks.values())


def test_what_is_left_out_is_named(made: tuple[Path, DistractorReport]) -> None:
    _, report = made
    assert {failure.path: failure.error for failure in report.failures}.keys() == {
        "vase-blue/copy.jpg",
        "vase-blue/broken.jpg",
    }


def test_look_alikes_come_from_the_same_split(made: tuple[Path, DistractorReport]) -> None:
    out, _ = made
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["complete"], manifest["command"], manifest["config"]["seed"]) == (True, "the command", 0)
    splits = {view["identity"]: folder.split("/")[0] for folder, view in manifest["by_view"].items()}
    swaps = [(folder, view["swap"]["identity"]) for folder, view in manifest["by_view"].items() if "swap" in view]
    assert swaps
    for folder, donor in swaps:
        assert splits[donor] == folder.split("/")[0]
        assert donor != folder.split("/")[1]


def test_distractors_differ_inside_and_agree_outside(made: tuple[Path, DistractorReport]) -> None:
    out, _ = made
    for view in open_dataset(out).split("train")[0].views:
        assert view.mask is not None
        positive = Image.open(view.image.name).convert("RGB")
        mask = np.asarray(Image.open(view.mask.name)) > 127
        for source in ("recolour", "part"):
            picture = Image.open(view.distractors[source].name).convert("RGB")
            assert picture.size == positive.size
            assert (picture.info, getattr(picture, "quantization", 0)) == (positive.info, 0)
            change = np.abs(np.asarray(picture).astype(int) - np.asarray(positive)).mean(-1)
            far = ~cv2.dilate(mask.astype(np.uint8), np.ones((17, 17))).astype(np.bool_)
            assert change[far].mean() < 1
            assert change[mask].mean() > 1


def test_positives_are_pasted_unless_asked_not_to(
    made: tuple[Path, DistractorReport], catalogue: Path, tmp_path: Path
) -> None:
    out, _ = made
    config = DistractorConfig(val=0.3, test=0, size=224, mask_model="saliency", paste_positive=False)
    make_distractors(catalogue, tmp_path / "plain", config=config, device="cpu")
    plain, pasted = tree(tmp_path / "plain"), tree(out)
    assert plain.keys() == pasted.keys()
    positives = [name for name in plain if name.endswith("positive.jpg")]
    assert all(plain[name] != pasted[name] for name in positives)


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(
    made: tuple[Path, DistractorReport], catalogue: Path, tmp_path: Path
) -> None:
    out, report = made
    stops = [("masks", 5), ("pictures", 6)]

    def stop(stage: str, done: int, _total: int) -> None:
        if stops and (stage, done) == stops[0]:
            raise KeyboardInterrupt

    while stops:
        with pytest.raises(KeyboardInterrupt):
            make_distractors(catalogue, tmp_path / "d", config=CONFIG, device="cpu", listener=Listener(advanced=stop))
        stops.pop(0)
    assert not json.loads((tmp_path / "d/manifest.json").read_text())["complete"]
    plans: list[DistractorPlan] = []
    listener = Listener(planned=plans.append)
    again = make_distractors(catalogue, tmp_path / "d", config=CONFIG, device="cpu", listener=listener)
    assert 0 < plans[0].done < 12
    assert tree(tmp_path / "d") == tree(out)
    assert (again.views, again.rejected, again.sources) == (report.views, report.rejected, report.sources)
    before = (tmp_path / "d/manifest.json").stat().st_mtime_ns
    make_distractors(catalogue, tmp_path / "d", config=CONFIG, device="cpu")
    assert (tmp_path / "d/manifest.json").stat().st_mtime_ns == before


def test_a_folder_of_something_else_is_left_alone(
    made: tuple[Path, DistractorReport], catalogue: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty"):
        make_distractors(catalogue, tmp_path, config=CONFIG)
    with pytest.raises(DatasetError, match="is a file"):
        make_distractors(catalogue, tmp_path / "mine.txt", config=CONFIG)
    with pytest.raises(DatasetError, match="with other settings"):
        make_distractors(catalogue, made[0], config=DistractorConfig(seed=7))


def test_the_preview_shows_each_view(made: tuple[Path, DistractorReport]) -> None:
    _, report = made
    assert report.preview is not None
    with Image.open(report.preview) as sheet:
        assert sheet.size[0] > 6 * 176
        assert np.asarray(sheet).std() > 20


class White:
    """An inpainter that cannot be overlooked."""

    name = "white"

    def __call__(
        self, pixels: np.typing.NDArray[np.uint8], hole: np.typing.NDArray[np.bool_], *, seed: int
    ) -> np.typing.NDArray[np.uint8]:
        assert seed >= 0
        return np.where(hole[..., None], np.uint8(255), pixels)


def test_another_inpainter_can_be_plugged_in(tmp_path: Path) -> None:
    small = copy_catalogue(tmp_path / "few", ("pot-blue", "vase-blue"), views=1)
    out = tmp_path / "out"
    make_distractors(small, out, config=CONFIG, device="cpu", inpainter=White())
    assert json.loads((out / "manifest.json").read_text())["inpainter"] == "white"
    swapped = np.asarray(Image.open(out / "train/pot-blue/1/distractor-swap.jpg"))
    assert (swapped > 250).all(-1).mean() > 0.03


def test_a_head_learns_from_it(made: tuple[Path, DistractorReport], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from nearid_search.trainer.config import HeadConfig, TrainConfig
    from nearid_search.trainer.recipe import train

    head = HeadConfig(start="random", width=16, num_heads=2, num_probes=1, mlp_dim=16, out_dim=8)
    config = TrainConfig(
        dataset=str(made[0]), out=str(tmp_path / "head"), device="cpu", epochs=2, batch_size=4, head=head
    )
    report = train(config)
    assert report.steps == 2
    assert report.images == made[1].pictures
