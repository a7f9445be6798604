"""Training sets with near-identity distractors from a user's own photographs, without a generative model."""

from nearid_search.trainer.distractors.build import DistractorReport, Listener, make_distractors
from nearid_search.trainer.distractors.config import SOURCES, DistractorConfig
from nearid_search.trainer.distractors.inpainting import CopyInpainter, Inpainter

__all__ = [
    "SOURCES",
    "CopyInpainter",
    "DistractorConfig",
    "DistractorReport",
    "Inpainter",
    "Listener",
    "make_distractors",
]
