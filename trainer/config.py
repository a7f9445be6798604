"""Settings of a training run: defaults, a TOML file over them, and checks with the value, the range and the key."""

from __future__ import annotations

import math
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from nearid_search.config import EncoderConfig
from nearid_search.errors import ConfigError
from nearid_search.trainer.augment import AugmentConfig
from nearid_search.trainer.token_codec import TokenCodec

_STARTS = ("pool", "random")
_PRECISIONS = ("auto", "bfloat16", "float16", "float32")
_LOSSES = ("nearid", "info_nce", "supcon")


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Shape of the head; its token widths come from the backbone.

    Attributes:
        start: "pool": as the backbone's own attention pool, which then decides width, num_heads and mlp_dim; a backbone
            without one, and "random", start from seeded weights. What is saved says which it was.
        width: of the attention; a multiple of ``num_heads``.
        num_heads: attention heads.
        num_probes: learned queries, each pooling the tokens its own way; None: one as in the pool, or 4 without a pool.
        mlp_dim: hidden width of the MLP.
        out_dim: width of an embedding; None: the pool's, or 256 without a pool.
        nonlinear_tokens: put projected tokens through the activation before they are attended over; more work a
            step, and not for a head that begins as the pool.
    """

    start: Literal["pool", "random"] = "pool"
    width: int = 384
    num_heads: int = 6
    num_probes: int | None = None
    mlp_dim: int = 768
    out_dim: int | None = None
    nonlinear_tokens: bool = False


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The objective.

    Attributes:
        name: "nearid", "info_nce" or "supcon".
        alpha: weight of the ranking term (arXiv 2604.01973: 0.5); higher keeps more graded similarity.
        temperature: of the softmax.
        every_distractor: an anchor meets the distractors of every identity of the batch, not of its own alone; "nearid"
            only. Things are told apart better in a gallery that holds look-alikes.
    """

    name: Literal["nearid", "info_nce", "supcon"] = "nearid"
    alpha: float = 0.5
    temperature: float = 0.07
    every_distractor: bool = False

    def __post_init__(self) -> None:
        _require(self.name in _LOSSES, "loss.name", self.name, " or ".join(_LOSSES))
        _require(0 <= self.alpha < math.inf, "loss.alpha", self.alpha, "0 or more")
        _require(0 < self.temperature < math.inf, "loss.temperature", self.temperature, "above 0")
        fits = self.name == "nearid" or not self.every_distractor
        _require(fits, "loss.every_distractor", self.every_distractor, f"false with loss.name {self.name!r}")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole run; everything that decides its result.

    Attributes:
        dataset: folder or table of the training set.
        out: folder for the head, the log and the checkpoint.
        features: folder for the cached features; "" means ``features`` in ``out``.
        backbone: name of the frozen backbone.
        dtype: arithmetic the backbone runs in while features are cached; "auto" as in ``EncoderConfig``, and resolved
            in what is saved. The head serves a backbone in any.
        device: "auto", "cpu", "cuda" or "cuda:N".
        seed: of the head's start and of every batch.
        epochs: passes over the identities of the train split.
        train_share: of the identities of the train split to learn from, in (0, 1], chosen by their names: for learning
            curves, and for trials that do not wait for the features of all.
        batch_size: identities a step, each with its own positives and distractors.
        max_positives: further views of an identity a step.
        max_distractors: distractors of the anchor's view a step.
        every_view: every view drawn is the anchor once and meets the distractors of all of them; many more comparisons
            for the same work, and the only ones with distractors on another view's background.
        keep_tokens: share of the tokens, in (0, 1], that a step sees, drawn anew each time; fewer are faster and harder
            to learn by heart.
        hard_negatives: share of a batch filled with identities that the head confuses with the others there, in
            [0, 1); looked up anew after every validation.
        learning_rate: peak of AdamW's.
        weight_decay: AdamW's.
        warmup_steps: steps over which the rate rises; it falls to 0 by a cosine after them.
        clip_norm: bound on the gradient's norm.
        validate_every: steps between validations; also where a run can be resumed.
        precision: arithmetic of the head, "bfloat16", "float16" with a scaled loss, or "float32"; "auto" is bfloat16 on
            CUDA and float32 on the CPU; bfloat16 there suits processors with instructions for it.
        tensorboard: write event files for TensorBoard beside the log.
        head: its shape.
        loss: the objective.
        codec: how cached tokens are kept.
        augment: variants of the training images.
    """

    dataset: str
    out: str
    features: str = ""
    backbone: str = EncoderConfig.backbone
    dtype: str = EncoderConfig.dtype
    device: str = EncoderConfig.device
    seed: int = 0
    epochs: int = 20
    train_share: float = 1.0
    batch_size: int = 64
    max_positives: int = 2
    max_distractors: int = 3
    every_view: bool = False
    keep_tokens: float = 1.0
    hard_negatives: float = 0.0
    learning_rate: float = 1e-4
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    clip_norm: float = 1.0
    validate_every: int = 50
    precision: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    tensorboard: bool = False
    head: HeadConfig = field(default_factory=HeadConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    codec: TokenCodec = field(default_factory=TokenCodec)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "max_positives", "validate_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("seed", "max_distractors", "warmup_steps", "weight_decay"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("learning_rate", "clip_norm"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        _require(self.head.start in _STARTS, "head.start", self.head.start, " or ".join(_STARTS))
        _require(self.precision in _PRECISIONS, "precision", self.precision, " or ".join(_PRECISIONS))
        for name in ("keep_tokens", "train_share"):
            _require(0 < getattr(self, name) <= 1, name, getattr(self, name), "above 0 and at most 1")
        _require(0 <= self.hard_negatives < 1, "hard_negatives", self.hard_negatives, "in [0, 1)")

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Make a config from nested dictionaries, such as ``as_dict`` gives; what they leave out keeps its default.

        Raises:
            ConfigError: if a key or value is none of these, or dataset or out is missing.
        """
        missing = [name for name in ("dataset", "out") if not document.get(name)]
        _require(not missing, missing[0] if missing else "", None, "given")
        return _overlay(cls(dataset="?", out="?"), document, prefix="")

    def as_dict(self) -> dict[str, Any]:
        """Return every setting, resolved, as JSON-ready values."""
        return asdict(self)


def read_toml(path: Path) -> dict[str, Any]:
    """Read settings from a TOML file, for ``TrainConfig.from_dict``.

    Raises:
        ConfigError: if the file cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


Config = TypeVar("Config")


def _overlay(config: Config, document: dict[str, Any], *, prefix: str) -> Config:
    """Return a copy of a config dataclass with some fields replaced, sub-configs field by field."""
    known = {entry.name for entry in fields(config)}  # type: ignore[arg-type]
    changes = {}
    for name, value in document.items():
        key = prefix + name
        if name not in known:
            raise ConfigError(f"unknown setting {key!r}: use one of {', '.join(sorted(known))}")
        current = getattr(config, name)
        if hasattr(current, "__dataclass_fields__"):
            _require(isinstance(value, dict), key, value, "a table")
            changes[name] = _overlay(current, value, prefix=f"{key}.")
        else:
            changes[name] = _checked(key, value, current)
    return replace(config, **changes)  # type: ignore[type-var]


def _checked(key: str, value: object, default: object) -> object:
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if default is not None and value is not None and type(value) is not type(default):
        _require(False, key, value, f"a value like {default!r}")
    return value


def _require(holds: bool, key: str, value: object, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{key} must be {expected}, got {value!r}")
