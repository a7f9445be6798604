"""Made-up ratings and scores in the layout of DreamBench++."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from catalogues import draw

METHODS = ("emu2", "dreambooth_sd")
GROUPS = ("group1", "group2")
SCORERS = ("nearid", "backbone")
PROMPTS = tuple(f"style_{subject:02}_{name}-{number}" for subject, name in enumerate("abcd") for number in range(3))
OTHER_PROMPTS = tuple(f"live_subject_human_{subject:02}_x-0" for subject in range(4))


def human_file(folder: Path, group: str, method: str) -> Path:
    return folder / "data_human_rating" / "merged_data" / group / f"{method}-cp.json"


def score_file(folder: Path, scorer: str, method: str) -> Path:
    return folder / f"data_{scorer}_rating" / f"{method}.json"


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def change(path: Path, changes: Mapping[str, Any]) -> None:
    """Set keys of a JSON file, or take out those whose new value is None."""
    content = json.loads(path.read_text()) | changes
    write_json(path, {key: value for key, value in content.items() if value is not None})


def write_ratings(folder: Path, *, seed: int = 0) -> Path:
    """Write two groups, two methods and two scorers; scores follow the ratings with noise."""
    generator = np.random.default_rng(seed)
    for method in METHODS:
        quality = {key: float(generator.uniform(0, 4)) for key in PROMPTS + OTHER_PROMPTS}
        for group in GROUPS:
            rated = {key: round(min(4, max(0, value + generator.normal()))) for key, value in quality.items()}
            write_json(human_file(folder, group, method), rated)
            write_json(human_file(folder, group, method).with_name(f"{method}-pf.json"), {"another question": "x"})
        for scorer in SCORERS:
            scored = {f"{key}_0": 60 + 5 * value + float(generator.normal(0, 4)) for key, value in quality.items()}
            write_json(score_file(folder, scorer, method), scored)
    return folder


def write_samples(folder: Path) -> Path:
    """Write what the methods made of the first prompts, each image beside its reference."""
    for seed, method in enumerate(METHODS):
        for number, prompt in enumerate(PROMPTS[:4]):
            subject, _, place = prompt.rpartition("-")
            draw(folder / method / "src_image" / subject / f"{place}_0.png", int(subject.split("_")[1]))
            draw(folder / method / "tgt_image" / subject / f"{place}_0.png", 10 + 10 * seed + number)
    return folder
