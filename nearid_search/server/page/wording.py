"""How values are put into words and lengths on a page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath


def moment(when: str) -> str:
    """Return an ISO 8601 time as a person reads it.

    Example:
        >>> moment("2026-01-02T03:04:05.678+00:00")
        '2026-01-02 03:04 UTC'
    """
    return datetime.fromisoformat(when).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def file_name(path: str | None) -> str:
    """Return the last part of a picture's path.

    Example:
        >>> file_name("catalog/cup/3.jpg"), file_name(None)
        ('3.jpg', 'no file')
    """
    return PurePosixPath(path).name if path else "no file"


def without_keys(text: str) -> str:
    """Return what a correction says with the keys in it cut short; nobody reads 64 digits.

    Example:
        >>> without_keys("uploads/" + "0123456789abcdef" * 4 + ".jpg shows cup")
        'uploads/01234567….jpg shows cup'
    """
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{56}\b", r"\1…", text)


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    Example:
        >>> plural(1, "picture"), plural(2000, "picture"), plural(0, "identity", "identities")
        ('1 picture', '2,000 pictures', '0 identities')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def scale_start(scores: Iterable[float]) -> float:
    """Return where the scale of some scores begins: so far below the least that every bar has a length.

    Scores of one encoder lie close together: bars that began at 0 would all look alike. The page says where they begin.

    Example:
        >>> scale_start([0.93, 0.81]), scale_start([0.2, -0.3]), scale_start([])
        (0.75, -0.35, 0.0)
    """
    least = min(scores, default=0.05)
    return max(-1.0, round((least * 20 - 1) // 1 / 20, 2))
