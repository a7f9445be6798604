"""A damaged file is never deleted: it stays beside its successor under another name."""

from __future__ import annotations

from itertools import count
from pathlib import Path

DAMAGED_SUFFIX = ".damaged"


def set_aside(path: Path) -> Path | None:
    """Rename a file or folder to ``<name>.damaged``, or to ``<name>.damaged-2`` and so on where that is taken.

    Args:
        path: what is damaged.

    Returns:
        Its new path; None if it is not there.

    Raises:
        OSError: if it cannot be renamed.
    """
    if not path.exists():
        return None
    names = (f"{path.name}{DAMAGED_SUFFIX}" + (f"-{number}" if number > 1 else "") for number in count(1))
    target = next(aside for aside in map(path.with_name, names) if not aside.exists())
    path.rename(target)
    return target


def is_aside(name: str) -> bool:
    """Say whether a file or folder of this name was set aside."""
    return DAMAGED_SUFFIX in name
