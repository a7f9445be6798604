"""The time of a picture: its camera's, its name's, its file's, in this order."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from catalogues import draw
from PIL import ExifTags, Image

from nearid_search import capture_time
from nearid_search.errors import UnreadableImageError

CHANGED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time an hour before UTC in winter and two in summer."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def still(path: Path, **written: str) -> Path:
    """A picture with times among its metadata, last changed at ``CHANGED``."""
    draw(path, 1)
    with Image.open(path) as image:
        metadata = image.getexif()
        metadata[ExifTags.Base.Make] = "none"  # Pillow takes metadata with no tag at the top for none at all
        metadata.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base[name]: value for name, value in written.items()})
        image.save(path, exif=metadata)
    os.utime(path, (CHANGED.timestamp(), CHANGED.timestamp()))
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_the_camera_comes_first(tmp_path: Path, suffix: str) -> None:
    name = tmp_path / f"2026-07-01_120000{suffix}"
    assert capture_time(still(name, DateTimeOriginal="2026:03:02 08:15:00")) == datetime(2026, 3, 2, 7, 15, tzinfo=UTC)
    offset = still(name, DateTimeOriginal="2026:03:02 08:15:00", OffsetTimeOriginal="-05:00")
    assert capture_time(offset) == datetime(2026, 3, 2, 13, 15, tzinfo=UTC)
    assert capture_time(offset).tzinfo is UTC


@pytest.mark.parametrize("written", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", ""])
def test_a_clock_that_was_never_set_does_not_count(tmp_path: Path, written: str) -> None:
    assert capture_time(still(tmp_path / "1.jpg", DateTimeOriginal=written)) == CHANGED


@pytest.mark.parametrize(
    "name",
    ["20260701120000", "cam2_20260701-120000", "2026-07-01T12-00-00", "2026.07.01 12.00.00", "20260701120000123_b7"],
)
def test_then_its_name(tmp_path: Path, name: str) -> None:
    assert capture_time(still(tmp_path / f"{name}.jpg")) == datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("name", ["1", "20261301120000", "12345678901234", "2026-07-01", "9920260701120000"])
def test_then_its_file(tmp_path: Path, name: str) -> None:
    assert capture_time(still(tmp_path / f"{name}.jpg")) == CHANGED


def test_a_damaged_picture_has_a_time_and_a_missing_one_has_not(tmp_path: Path) -> None:
    whole = still(tmp_path / "20260701120000.jpg", DateTimeOriginal="2026:03:02 08:15:00").read_bytes()
    for length in range(1, len(whole), 37):
        (tmp_path / "20260701120000.jpg").write_bytes(whole[:length])
        assert capture_time(tmp_path / "20260701120000.jpg").month in (3, 7)
    with pytest.raises(UnreadableImageError, match="no such file"):
        capture_time(tmp_path / "none.jpg")
