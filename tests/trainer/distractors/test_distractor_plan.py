"""Which identity goes to which split, and where its views will lie."""

from pathlib import Path

import numpy as np
import pytest
from catalogues import draw

from nearid_search.errors import CatalogueError, ConfigError
from nearid_search.similarity import pair_scores, unit_rows
from nearid_search.trainer.distractors.config import DistractorConfig
from nearid_search.trainer.distractors.lookalikes import crop_on_grey, rank_lookalikes
from nearid_search.trainer.distractors.plan import divide, plan_distractors


def fill(folder: Path, views: dict[str, int]) -> Path:
    for identity, count in views.items():
        for number in range(count):
            draw(folder / identity / f"{number}.png", number)
    return folder


def test_whole_identities_go_to_a_split_and_single_views_stay_in_train(tmp_path: Path) -> None:
    fill(tmp_path, {f"thing{number}": 2 for number in range(10)} | {"lone": 1})
    plan = plan_distractors(tmp_path, DistractorConfig(val=0.2, test=0.3))
    assert plan.split_sizes == {"train": 6, "val": 2, "test": 3}
    assert (plan.single, plan.identities, len(plan.views)) == (1, 11, 21)
    splits = {identity: {v.split for v in plan.views if v.identity == identity} for identity in ("lone", "thing0")}
    assert splits["lone"] == {"train"}
    assert len(splits["thing0"]) == 1
    assert {view.folder for view in plan.views if view.identity == "lone"} == {"train/lone/1"}
    assert "11 identities (6 train, 2 val, 3 test), 21 views" in plan.describe(DistractorConfig())


def test_the_draw_depends_on_the_seed_alone() -> None:
    names = [f"thing{number}" for number in range(40)]
    first = divide(names, 0, DistractorConfig())
    assert divide(names[::-1], 0, DistractorConfig()) == first
    assert divide(names, 0, DistractorConfig(seed=1)) != first
    assert sorted(first.values()).count("val") == 4
    assert sorted(first.values()).count("test") == 8


@pytest.mark.parametrize(("things", "expected"), [(2, (2, 0, 0)), (4, (2, 0, 2)), (6, (2, 2, 2))])
def test_train_goes_before_the_other_splits(things: int, expected: tuple[int, int, int]) -> None:
    splits = list(divide([str(number) for number in range(things)], 0, DistractorConfig()).values())
    assert tuple(splits.count(name) for name in ("train", "val", "test")) == expected


def test_names_that_are_no_folder_names(tmp_path: Path) -> None:
    fill(tmp_path, {"deep/er": 2, "plain": 2})
    (tmp_path / "table.csv").write_text("path,identity\ndeep/er/0.png,a/b\ndeep/er/1.png,a/b\nplain/0.png,.hidden\n")
    plan = plan_distractors(tmp_path, DistractorConfig(), tmp_path / "table.csv")
    folders = [view.folder for view in plan.views]
    assert folders == ["train/%2Ehidden/1", "train/a%2Fb/1", "train/a%2Fb/2", "train/plain%2F1.png/1"]


def test_one_identity_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="holds one identity"):
        plan_distractors(fill(tmp_path, {"only": 3}), DistractorConfig())


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"val": 0.5, "test": 0.5}, "leave some for train"), ({"size": 10}, "size must be"), ({"choices": 0}, "choices")],
)
def test_settings_out_of_range(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DistractorConfig(**setting)  # type: ignore[arg-type]


def test_look_alikes_are_the_nearest_other_identities_of_the_split() -> None:
    rng = np.random.default_rng(0)
    embeddings = unit_rows(rng.normal(size=(60, 8)))
    identities = [str(number // 3) for number in range(60)]
    splits = ["train" if number < 45 else "test" for number in range(60)]
    ranked = rank_lookalikes(embeddings, identities, splits, choices=4)
    for row in range(60):
        scores = pair_scores(embeddings[row], embeddings)
        best: dict[str, int] = {}
        for other in np.argsort(-scores).tolist():
            if splits[other] == splits[row] and identities[other] != identities[row]:
                best.setdefault(identities[other], other)
        assert [other for other, _ in ranked[row]] == list(best.values())[:4]
    assert rank_lookalikes(embeddings[:2], ["a", "a"], ["train", "train"], choices=4) == [[], []]


def test_a_crop_shows_the_thing_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 100, (50, 80, 3), dtype=np.uint8)
    mask = np.zeros((50, 80), np.bool_)
    mask[10:40, 60:70] = True
    crop = crop_on_grey(pixels, mask)
    assert crop.shape == (35, 35, 3)
    shown = (crop != 128).any(-1)
    assert shown.sum() == 300
    np.testing.assert_array_equal(crop[shown], pixels[mask])
