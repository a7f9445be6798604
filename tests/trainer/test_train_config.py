"""Settings: what a file leaves out keeps its default, and a mistake is named with its key."""

import json
from pathlib import Path
from typing import Any

import pytest

from nearid_search.errors import ConfigError
from nearid_search.trainer.config import TrainConfig, read_toml

PLACES = {"dataset": "data", "out": "head"}


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text(
        'dataset = "data"\nout = "head"\nlearning_rate = 1\n[loss]\nalpha = 0.25\n'
        "[codec]\nmax_tokens = 64\n[augment]\nvariants = 3\n"
    )
    config = TrainConfig.from_dict(read_toml(path))
    assert (config.learning_rate, config.loss.alpha, config.codec.max_tokens) == (1.0, 0.25, 64)
    assert (config.augment.variants, config.augment.flip) == (3, 0.5)
    assert config.loss.temperature == TrainConfig(dataset="data", out="head").loss.temperature


def test_the_resolved_settings_make_the_same_config() -> None:
    config = TrainConfig.from_dict({**PLACES, "seed": 7, "head": {"num_probes": 2}})
    assert TrainConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"out": "head"}, "dataset must be given"),
        ({"dataset": "", "out": "head"}, "dataset must be given"),
        ({**PLACES, "epoch": 3}, "unknown setting 'epoch'.*epochs"),
        ({**PLACES, "loss": {"beta": 1}}, r"unknown setting 'loss\.beta'.*alpha"),
        ({**PLACES, "loss": 3}, "loss must be a table, got 3"),
        ({**PLACES, "loss": {"name": "triplet"}}, r"loss\.name must be nearid or .*'triplet'"),
        ({**PLACES, "epochs": 0}, "epochs must be 1 or more, got 0"),
        ({**PLACES, "epochs": "many"}, "epochs must be a value like 20, got 'many'"),
        ({**PLACES, "epochs": 2.5}, r"epochs must be a value like 20, got 2\.5"),
        ({**PLACES, "learning_rate": True}, "learning_rate must be a value like"),
        ({**PLACES, "clip_norm": 0.0}, "clip_norm must be above 0"),
        ({**PLACES, "codec": {"dtype": "float64"}}, "not 'float64'"),
        ({**PLACES, "codec": {"max_tokens": "few"}}, r"codec\.max_tokens must be a whole number .* got 'few'"),
        ({**PLACES, "codec": {"pca_dim": 96.0}}, r"codec\.pca_dim must be a whole number .* got 96\.0"),
        ({**PLACES, "loss": {"temperature": 0}}, r"loss\.temperature must be above 0, got 0\.0"),
        ({**PLACES, "loss": {"alpha": -0.5}}, r"loss\.alpha must be 0 or more, got -0\.5"),
        (
            {**PLACES, "loss": {"name": "supcon", "every_distractor": True}},
            r"loss\.every_distractor must be false with loss\.name 'supcon', got True",
        ),
        ({**PLACES, "loss": {"alpha": float("nan")}}, r"loss\.alpha must be 0 or more, got nan"),
        ({**PLACES, "augment": {"flip": 2}}, r"augment\.flip must be .* got 2"),
        ({**PLACES, "augment": {"hue": 0.1}}, r"unknown setting 'augment\.hue'"),
    ],
)
def test_mistakes_are_named(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_dict(document)


@pytest.mark.parametrize("content", [None, "epochs = ", "\x00"], ids=["missing", "broken", "binary"])
def test_a_file_that_is_no_toml(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "train.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"train\.toml cannot be read"):
        read_toml(path)
