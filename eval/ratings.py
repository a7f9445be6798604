"""Human ratings and the scores to hold against them, in the folder layout of DreamBench++ (arXiv 2406.16855).

    RATINGS/data_human_rating/merged_data/<group>/<method>-cp.json    {"style_00_pencil_sketch-0": 2, ...}
    RATINGS/data_<scorer>_rating/<method>.json                        {"style_00_pencil_sketch-0_0": 71.5, ...}

A key names a prompt: category, number and name of the subject, then the prompt's number. Scores are of a prompt's first
image, which is what the trailing ``_0`` says. ``cp`` is concept preservation; ratings of anything else are not read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.listing import list_folder
from nearid_search.trainer.datasets.problems import first_few

HUMAN_FOLDER = "data_human_rating"
FIRST_IMAGE = "_0"
_GROUPS_FOLDER = f"{HUMAN_FOLDER}/merged_data"
_RATED = "-cp.json"
_SUBJECT_NUMBER = re.compile(r"_\d")
_SCORER_FOLDER = re.compile(r"data_(.+)_rating")

Values = Mapping[str, float]
"""Prompt to rating or score."""


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """Ratings and scores of one category.

    Attributes:
        category: such as "style".
        groups: rater group to method to ratings; two groups or more, each with every method.
        scorers: scorer to method to scores.
        other_folders: folders without a JSON file, which are no scorers.
    """

    category: str
    groups: Mapping[str, Mapping[str, Values]]
    scorers: Mapping[str, Mapping[str, Values]]
    other_folders: tuple[str, ...]


def read_ratings(folder: Path, *, category: str) -> Ratings:
    """Read every rater group and every scorer.

    A scorer is a folder with JSON files beside the human ratings; ``data_nearid_rating`` is called ``nearid``.

    Args:
        folder: laid out as above.
        category: the prompts to keep: those whose key starts with it and the subject's number.

    Returns:
        Ratings and scores of that category.

    Raises:
        DatasetError: if a folder or file is missing or cannot be read, there are fewer than two groups, a group lacks
            a method, there is no scorer, nothing rated is in the category, or a value is no finite number.
    """
    rated = _read_groups(folder)
    there = sorted({category_of(key) for methods in rated.values() for values in methods.values() for key in values})
    if category not in there:
        raise DatasetError(f"{folder} rates nothing of category {category!r}: its categories are {', '.join(there)}")
    scored, other_folders = _read_scorers(folder)
    return Ratings(
        category=category,
        groups={group: _keep(methods, category) for group, methods in rated.items()},
        scorers={scorer: _keep(methods, category) for scorer, methods in scored.items()},
        other_folders=other_folders,
    )


def category_of(prompt: str) -> str:
    """Return the category of a prompt: what stands before the subject's number.

    Example:
        >>> category_of("live_subject_animal_00_kitten-3")
        'live_subject_animal'
    """
    return _SUBJECT_NUMBER.split(prompt, maxsplit=1)[0]


def subject_of(prompt: str) -> str:
    """Return what a prompt asks to be shown; the prompts of one subject share a reference image.

    Example:
        >>> subject_of("style_09_low-poly_geometric-3")
        'style_09_low-poly_geometric'
    """
    return prompt.rpartition("-")[0]


def _read_groups(folder: Path) -> dict[str, dict[str, Values]]:
    root = folder / _GROUPS_FOLDER
    if not root.is_dir():
        raise DatasetError(f"{root} is missing: expected <group>/<method>{_RATED} in it for two groups of raters")
    groups = {
        path.name: {
            file.name.removesuffix(_RATED): _read_values(file)
            for file in list_folder(path)
            if file.name.endswith(_RATED)
        }
        for path in list_folder(root)
        if path.is_dir()
    }
    if len(groups) < 2:
        raise DatasetError(f"{root} has {len(groups)} groups ({', '.join(groups) or 'none'}): two are needed")
    methods = sorted(set().union(*groups.values()))
    if not methods:
        raise DatasetError(f"{root} holds no <method>{_RATED} in {', '.join(groups)}")
    absent = [f"{group}/{method}{_RATED}" for group in groups for method in methods if method not in groups[group]]
    if absent:
        raise DatasetError(f"{root} lacks {first_few(absent)}: every group must have rated every method")
    return groups


def _read_scorers(folder: Path) -> tuple[dict[str, dict[str, Values]], tuple[str, ...]]:
    """Return scorer to method to scores by prompt, and the folders that are no scorers."""
    scorers: dict[str, dict[str, Values]] = {}
    others = []
    for path in list_folder(folder):
        if path.name == HUMAN_FOLDER or not path.is_dir():
            continue
        files = [file for file in list_folder(path) if file.suffix == ".json"]
        if not files:
            others.append(path.name)
            continue
        named = _SCORER_FOLDER.fullmatch(path.name)
        scorer = named[1] if named else path.name
        if scorer in scorers:
            raise DatasetError(f"{folder} has two folders for the scorer {scorer!r}: rename {path.name}")
        scorers[scorer] = {file.stem: _by_prompt(_read_values(file), file) for file in files}
    if not scorers:
        raise DatasetError(f"{folder} has no scorer: expected folders data_<scorer>_rating with <method>.json")
    return scorers, tuple(others)


def _by_prompt(values: Values, file: Path) -> Values:
    prompts = {key.removesuffix(FIRST_IMAGE): value for key, value in values.items()}
    if len(prompts) < len(values):
        twice = sorted(prompt for prompt in prompts if prompt in values and prompt + FIRST_IMAGE in values)
        raise DatasetError(f"{file} scores a prompt with and without {FIRST_IMAGE}: {first_few(twice)}")
    return prompts


def _read_values(file: Path) -> Values:
    """Read one JSON object of numbers."""
    try:
        # Objects become tuples of pairs, so that a key that stands there twice is seen.
        pairs = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=tuple)
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is no JSON file: {error}") from error
    if not isinstance(pairs, tuple):
        raise DatasetError(f"{file} holds {type(pairs).__name__}: expected an object of prompts and numbers")
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted(key for key in values if keys.count(key) > 1)
        raise DatasetError(f"{file} gives {len(twice)} keys twice: {first_few(twice)}: keep one of each")
    bad = [f"{key} is {json.dumps(value)}" for key, value in values.items() if not _is_number(value)]
    if bad:
        raise DatasetError(
            f"{file}: {len(bad)} of {len(values)} values are no finite numbers: {first_few(bad)}: "
            "correct them, or take the keys out to have them counted as missing"
        )
    return {key: float(value) for key, value in values.items()}


def _is_number(value: object) -> bool:
    limit = sys.float_info.max  # also refuses NaN, infinity and integers that no float holds
    return isinstance(value, int | float) and not isinstance(value, bool) and -limit <= value <= limit


def _keep(methods: Mapping[str, Values], category: str) -> dict[str, Values]:
    return {
        method: {key: value for key, value in values.items() if category_of(key) == category}
        for method, values in methods.items()
    }
