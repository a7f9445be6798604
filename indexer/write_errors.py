"""What the system refuses while a gallery is written, said as one error of ours."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearid_search.errors import GalleryWriteError, NearIDError

_LANCE_NUMBER = re.compile(r"\(os error (\d+)\)")


@contextmanager
def as_write_errors(folder: Path, *, then: str = "") -> Iterator[None]:
    """Turn what the system refuses, to Python or to LanceDB, into a ``GalleryWriteError``.

    Args:
        folder: the gallery's folder.
        then: how the message goes on, beginning with its punctuation.

    Yields:
        Nothing.

    Raises:
        GalleryWriteError: with the folder and the system's reason, such as "No space left on device".
    """
    try:
        yield
    except (NearIDError, BrokenPipeError):  # the second is about what is printed
        raise
    except (OSError, RuntimeError) as error:
        reason = _refusal(error)
        if reason is None:
            raise
        raise GalleryWriteError(f"cannot write the gallery {folder}: {reason}{then}") from error


def _refusal(error: OSError | RuntimeError) -> str | None:
    """Return the system's reason; None if the error is about something else."""
    # LanceDB raises RuntimeError with the system's number in its text.
    found = _LANCE_NUMBER.search(str(error))
    if found is not None:
        number = int(found[1])
        return None if number == errno.ENOENT else os.strerror(number)  # a missing file of its own is damage
    return (error.strerror or str(error)) if isinstance(error, OSError) else None
