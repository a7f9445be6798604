"""When a picture was taken: by its camera, its name, or its file."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from PIL import ExifTags

from nearid_search.image_decoding import read_exif
from nearid_search.images import read_file

# Up to six further digits are parts of a second.
_IN_NAME = re.compile(r"(?<!\d)(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)[-_T. ]?(\d\d)[-_.:]?(\d\d)[-_.:]?(\d\d)(?!\d{7})")


def capture_time(picture: str | Path) -> datetime:
    """Return when a picture was taken.

    The first of these that there is: the time the camera wrote into the file (EXIF ``DateTimeOriginal``, with
    ``OffsetTimeOriginal`` if that is there), a date and time in the file's name such as ``cam2_20260302-081500.jpg`` or
    ``2026-03-02T08-15-00.png``, and the time at which the file was last changed. A time without offset is this
    machine's local time.

    Args:
        picture: path of the file.

    Returns:
        The time in UTC, to the second; of a changed file to the microsecond.

    Raises:
        UnreadableImageError: if the file cannot be read; a damaged picture still has a name and a time of change.
    """
    path = Path(picture)
    taken = _by_camera(read_file(path)) or _by_name(path.stem)
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if taken is None else taken.astimezone(UTC)


def _by_camera(data: bytes) -> datetime | None:
    written = read_exif(data)
    taken, offset = (
        str(written.get(tag, "")).strip("\0 ")
        for tag in (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal)
    )
    for text, pattern in ((taken + offset, "%Y:%m:%d %H:%M:%S%z"), (taken, "%Y:%m:%d %H:%M:%S")):
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue  # cameras whose clock was never set write zeros or blanks
    return None


def _by_name(stem: str) -> datetime | None:
    found = _IN_NAME.search(stem)
    if found is None:
        return None
    try:
        return datetime.strptime("".join(found.groups()), "%Y%m%d%H%M%S")
    except ValueError:
        return None  # digits that are no date
