"""OpenCV, where it is installed: for making distractors, and for the rung ``geometry`` of re-ranking."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from nearid_search.errors import MissingExtraError

EXTRA = "opencv"


def has_cv2() -> bool:
    """Whether OpenCV is installed."""
    return importlib.util.find_spec("cv2") is not None


def import_cv2(purpose: str = "making distractors") -> ModuleType:
    """Import OpenCV.

    Args:
        purpose: what it is for.

    Returns:
        The module ``cv2``.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if not has_cv2():
        raise MissingExtraError("opencv-python-headless", EXTRA, purpose)
    return importlib.import_module("cv2")
