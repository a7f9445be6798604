"""Text of SQL conditions, and what the database says when one is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def any_of(column: str, values: Sequence[str]) -> str:
    """Return the condition that a column holds one of some values."""
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({quoted})" if quoted else "false"


def chunks(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield the values in order, at most ``size`` at once."""
    return (values[start : start + size] for start in range(0, len(values), size))


def first_sentence(error: Exception) -> str:
    """Return what a database error says, without the list of columns and the trace behind it."""
    text = str(error).splitlines()[0].removeprefix("Invalid input, ")
    return text.split(" Valid fields", 1)[0].rstrip(".") + "."
