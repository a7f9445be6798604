"""OpenCV, where it is installed: only the synthesis of distractors needs it."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from nearid_search.errors import MissingExtraError


def import_cv2() -> ModuleType:
    """Import OpenCV.

    Returns:
        The module ``cv2``.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if importlib.util.find_spec("cv2") is None:
        raise MissingExtraError("opencv-python-headless", "distractors", "making distractors")
    return importlib.import_module("cv2")
