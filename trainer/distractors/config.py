"""Settings of a run that makes distractors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, get_args

from nearid_search.config import EncoderConfig
from nearid_search.errors import ConfigError
from nearid_search.trainer.distractors.masks import MaskModel

SOURCES = ("swap", "recolour", "part")
"""A look-alike in the thing's place; the thing in other colours; the thing with one part in another colour."""


@dataclass(frozen=True, kw_only=True)
class DistractorConfig:
    """What decides every byte of the dataset, beside the pictures.

    Attributes:
        seed: of splits, look-alikes, places and colours.
        val: share of the identities with two views or more that go to ``val``, in [0, 1).
        test: the same for ``test``; both together below 1.
        size: longer side in pixels that larger pictures are reduced to.
        quality: of every JPEG, 1 to 100.
        choices: nearest other identities that a look-alike is drawn from.
        paste_positive: send the positive through the same cutting and pasting as the distractors.
        mask_model: "auto", "saliency" or "u2net".
        backbone: whose frozen readout tells which identities look alike.

    Raises:
        ConfigError: if a value is out of range.
    """

    seed: int = 0
    val: float = 0.1
    test: float = 0.2
    size: int = 768
    quality: int = 92
    choices: int = 3
    paste_positive: bool = True
    mask_model: MaskModel = "auto"
    backbone: str = EncoderConfig.backbone

    def __post_init__(self) -> None:
        for name, low, high in (("seed", 0, 2**63), ("size", 64, 8192), ("quality", 1, 100), ("choices", 1, 1000)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test < 1):
            raise ConfigError(f"val and test must be shares that leave some for train, got {self.val} and {self.test}")
        if self.mask_model not in get_args(MaskModel):
            raise ConfigError(f"mask_model must be {', '.join(get_args(MaskModel))}, got {self.mask_model!r}")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)
