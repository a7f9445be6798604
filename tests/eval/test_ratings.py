"""Ratings: read as they lie, and every fault named in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from rating_folders import (
    GROUPS,
    METHODS,
    PROMPTS,
    SCORERS,
    change,
    human_file,
    score_file,
    write_json,
    write_ratings,
)

from nearid_search.errors import DatasetError
from nearid_search.eval.ratings import category_of, read_ratings, subject_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ratings(tmp_path / "ratings")


def test_reads_one_category_of_every_file(folder: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / ".git").mkdir()
    (folder / "README.md").write_text("about")
    ratings = read_ratings(folder, category="style")
    assert set(ratings.groups) == set(GROUPS)
    assert set(ratings.scorers) == set(SCORERS)
    assert ratings.other_folders == ("__pycache__",)
    for method in METHODS:
        for group in GROUPS:
            written = json.loads(human_file(folder, group, method).read_text())
            assert ratings.groups[group][method] == {prompt: written[prompt] for prompt in PROMPTS}
        for scorer in SCORERS:
            written = json.loads(score_file(folder, scorer, method).read_text())
            assert ratings.scorers[scorer][method] == {prompt: written[f"{prompt}_0"] for prompt in PROMPTS}


def test_a_scorer_may_have_any_folder_name(folder: Path) -> None:
    (folder / "data_nearid_rating").rename(folder / "my scores")
    assert set(read_ratings(folder, category="style").scorers) == {"backbone", "my scores"}


def test_names_in_keys() -> None:
    assert category_of("style_10_ukiyo-e-3") == "style"
    assert subject_of("style_10_ukiyo-e-3") == "style_10_ukiyo-e"
    assert category_of("object_00_backpack-0") == "object"


@pytest.mark.parametrize("category", ["object", "styl", "live_subject", ""])
def test_a_category_that_is_not_there_gets_a_list_of_those_that_are(folder: Path, category: str) -> None:
    with pytest.raises(DatasetError, match=f"category '{category}': its categories are live_subject_human, style"):
        read_ratings(folder, category=category)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "3", None, True, [1], {"a": 1}, 10**400])
@pytest.mark.parametrize("side", ["people", "scorer"])
def test_what_is_no_finite_number_is_counted_and_named(folder: Path, value: Any, side: str) -> None:
    path = human_file(folder, "group2", "emu2") if side == "people" else score_file(folder, "nearid", "emu2")
    content = json.loads(path.read_text())
    first, second = list(content)[:2]
    write_json(path, content | {first: value, second: value})
    with pytest.raises(DatasetError, match=f"2 of 16 values are no finite numbers: {first} is .*{second} is") as caught:
        read_ratings(folder, category="style")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON file"),
        ("", "is no JSON file"),
        ("\xff", "is no JSON file"),
        ("[" * 100_000, "is no JSON file"),
        ("[1, 2]", "holds list: expected an object"),
        ("3", "holds int: expected an object"),
        ('{"style_00_a-0": 1, "style_00_a-0": 2}', "gives 1 keys twice: style_00_a-0"),
    ],
)
def test_a_damaged_file(folder: Path, text: str, message: str) -> None:
    path = human_file(folder, "group1", "emu2")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match=message) as caught:
        read_ratings(folder, category="style")
    assert str(path) in str(caught.value)


def test_a_score_with_and_without_the_image_number(folder: Path) -> None:
    change(score_file(folder, "nearid", "emu2"), {"style_00_a-0": 3.0})
    with pytest.raises(DatasetError, match="with and without _0: style_00_a-0"):
        read_ratings(folder, category="style")


def test_a_method_that_one_group_lacks(folder: Path) -> None:
    human_file(folder, "group2", "emu2").unlink()
    with pytest.raises(DatasetError, match=r"lacks group2/emu2-cp.json: every group must"):
        read_ratings(folder, category="style")


def test_a_missing_group(folder: Path) -> None:
    root = human_file(folder, "group2", "emu2").parent
    root.rename(folder / "group2")
    with pytest.raises(DatasetError, match=r"has 1 groups \(group1\): two are needed"):
        read_ratings(folder, category="style")


def test_groups_without_ratings(folder: Path) -> None:
    for group in GROUPS:
        for method in METHODS:
            human_file(folder, group, method).unlink()
    with pytest.raises(DatasetError, match=r"holds no <method>-cp.json in group1, group2"):
        read_ratings(folder, category="style")


def test_no_ratings_or_no_scorer(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="merged_data is missing"):
        read_ratings(tmp_path / "nowhere", category="style")
    for scorer in SCORERS:
        (folder / f"data_{scorer}_rating").rename(tmp_path / scorer)
    with pytest.raises(DatasetError, match="has no scorer: expected folders data_<scorer>_rating"):
        read_ratings(folder, category="style")


def test_two_folders_of_one_scorer(folder: Path) -> None:
    write_json(folder / "nearid" / "emu2.json", {"style_00_a-0_0": 1})
    with pytest.raises(DatasetError, match="two folders for the scorer 'nearid': rename nearid"):
        read_ratings(folder, category="style")
