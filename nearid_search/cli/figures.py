"""How a figure with its interval reads in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def figure_in_words(figure: Mapping[str, Any]) -> str:
    """Return a figure, its 95 % interval and what it counts.

    Args:
        figure: as ``Interval.as_dict`` gives it.

    Example:
        >>> figure_in_words({"value": 0.25, "low": 0.125, "high": 0.375, "n": 1200, "n_clusters": 400})
        '0.250 (0.125 to 0.375), n 1,200 of 400 identities'
    """
    if figure["value"] is None:
        return f"none: {figure['reason']}"
    span = f" ({figure['low']:.3f} to {figure['high']:.3f})" if figure["low"] is not None else ""
    return f"{figure['value']:.3f}{span}, n {figure['n']:,} of {figure['n_clusters']:,} identities"
