"""How a dataset's faults are named: the first few in full, the rest as a count."""

from collections.abc import Sequence

_SHOWN = 5


def first_few(problems: Sequence[str]) -> str:
    """Join the first five problems and count the others.

    Args:
        problems: one phrase each, at least one.

    Returns:
        One line.

    Example:
        >>> first_few(["a is empty", "b is empty"])
        'a is empty; b is empty'
        >>> first_few([f"row {row}" for row in range(7)])
        'row 0; row 1; row 2; row 3; row 4; and 2 more'
    """
    shown = list(problems[:_SHOWN])
    if len(problems) > _SHOWN:
        shown.append(f"and {len(problems) - _SHOWN:,} more")
    return "; ".join(shown)
