"""Weights that a name points to: a local file first, else what the library's hub holds for a tag."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path

from nearid_search.errors import BackboneError, WeightsError


def check_architecture(architecture: str, known: Iterable[str], library: str) -> None:
    """Make sure a library knows an architecture.

    Args:
        architecture: its name.
        known: the library's names.
        library: the library's name.

    Raises:
        BackboneError: if it does not, with the nearest names.
    """
    names = list(known)
    if architecture in names:
        return
    close = difflib.get_close_matches(architecture, names, n=3)
    hint = f"did you mean {', '.join(close)}?" if close else f"see the architectures of {library}"
    raise BackboneError(f"{library} has no architecture {architecture!r}: {hint}")


def find_local_file(weights: str) -> Path | None:
    """Take what follows the "@" as a path; None if there is no such file."""
    path = Path(weights).expanduser()
    return path if path.is_file() else None


def fetch(name: str, weights: str, tags: Iterable[str], download: Callable[[], str]) -> Path:
    """Get a tag's weights from the hub or its cache.

    Args:
        name: "open_clip:<arch>" or "timm:<name>", for messages.
        weights: the tag.
        tags: the tags the architecture has.
        download: returns the path of the file, downloading it if it is not in the library's cache.

    Returns:
        The file.

    Raises:
        BackboneError: if there is no such tag.
        WeightsError: if the hub cannot be reached and the cache does not have the file.
    """
    known = sorted(tags)
    if weights not in known:
        raise BackboneError(
            f"{name}@{weights}: no such file and no such pretrained tag; its tags: {', '.join(known) or 'none'}"
        )
    try:
        return Path(download())
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise WeightsError(
            f"{name}@{weights}: the weights could not be downloaded ({reason}); fetch the file elsewhere and give its "
            f"path: {name}@/path/to/model.safetensors"
        ) from error
