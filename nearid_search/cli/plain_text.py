"""Names that come from a disk, made fit for a terminal."""

from __future__ import annotations

_LONGEST = 300


def one_line(text: str) -> str:
    r"""Return text with every character that is not printable written as an escape, so that it stays on its line.

    A file name may hold line breaks, escape sequences that change the terminal, or marks that turn its direction.

    Args:
        text: any.

    Example:
        >>> print(one_line("new\nline.jpg"))
        new\nline.jpg
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def short_line(text: str) -> str:
    """Return what ``one_line`` does, with the middle left out if that is longer than 300 characters.

    Args:
        text: any.
    """
    line, half = one_line(text), _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]}...{line[-half:]}"
