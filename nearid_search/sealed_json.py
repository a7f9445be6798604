"""JSON documents with the SHA-256 of their own content, so that a flipped byte is noticed before it is believed.

The same digest names settings and artefacts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SEAL = "sha256"


def seal(content: Mapping[str, Any]) -> bytes:
    """Turn a document into bytes with its digest inside.

    Args:
        content: JSON-ready; without a key ``sha256``.

    Raises:
        TypeError: if a value is none that JSON has.
        ValueError: if a number is not finite.

    Example:
        >>> unseal(seal({"answer": 42}))
        {'answer': 42}
    """
    # What is digested is what will be read: JSON turns tuples into lists and numbers that are keys into text.
    plain = json.loads(json.dumps(content, allow_nan=False))
    return (json.dumps({_SEAL: digest(plain), **plain}, indent=2, sort_keys=True) + "\n").encode()


def unseal(text: bytes) -> dict[str, Any]:
    """Read what ``seal`` gave.

    Raises:
        ValueError: if it is no JSON, has no digest or was altered; the message goes on from the file's name.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ValueError(f"cannot be read as JSON ({error})") from error
    found = document.pop(_SEAL, None) if isinstance(document, dict) else None
    if found is None or found != digest(document):
        raise ValueError("was altered since it was written")
    content: dict[str, Any] = document
    return content


def read_sealed(path: Path) -> dict[str, Any] | None:
    """Read a file that holds what ``seal`` gave; None if there is no such file.

    Raises:
        ValueError: if it cannot be read, or as ``unseal`` does; the message goes on from the file's name.
    """
    try:
        return unseal(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"cannot be read ({error})") from error


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of a JSON-ready document, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
