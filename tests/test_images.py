"""Reading files that may be anything but a file, and making thumbnails."""

import os
import shutil
import socket
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pictures import gradient, sample
from PIL import Image

from nearid_search.errors import ShapeError, UnreadableImageError
from nearid_search.images import IMAGE_SUFFIXES, encode_thumbnail, read_file, read_image


def refusal(path: Path, **options: int) -> str:
    with pytest.raises(UnreadableImageError) as caught:
        read_file(path, **options)
    assert caught.value.path == str(path)
    return caught.value.reason


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path, link = tmp_path / "ä picture.png", tmp_path / "link.png"
    path.write_bytes(sample("PNG"))
    link.symlink_to(path)
    assert read_file(path) == read_file(link) == sample("PNG")
    np.testing.assert_array_equal(read_image(link).pixels, gradient())


def test_max_bytes_is_inclusive(tmp_path: Path) -> None:
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    assert read_file(path, max_bytes=10) == b"0123456789"
    assert refusal(path, max_bytes=9) == "too large: more than 9 bytes"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert refusal(tmp_path / "empty.jpg") == "empty file: zero bytes"
    assert refusal(tmp_path / "missing.jpg") == "no such file"
    assert refusal(tmp_path / "dangling.jpg") == "no such file"
    assert refusal(tmp_path / "loop.jpg") == "too many levels of symbolic links"
    assert refusal(tmp_path / "empty.jpg" / "below.jpg") == "not a directory"
    assert refusal(tmp_path) == "is a directory"
    assert refusal(tmp_path / ("x" * 300)) == "file name too long"
    assert "null" in refusal(tmp_path / "a\0b")


def test_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg") == "not a regular file"
    assert refusal(Path("/dev/zero")) == "not a regular file"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        assert refusal(tmp_path / "s.jpg") == "not a regular file"


def test_a_forbidden_file_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    assert refusal(path) == "permission denied"


def test_read_image_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "page.jpg"
    path.write_bytes(b"<html>not here</html>")
    with pytest.raises(UnreadableImageError, match="not an image: starts with b'<html>not here") as caught:
        read_image(path)
    assert caught.value.path == str(path)
    shutil.rmtree(tmp_path)
    with pytest.raises(UnreadableImageError, match="no such file"):
        read_image(path)


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"} < IMAGE_SUFFIXES
    assert {".heic", ".heif", ".avif"} < IMAGE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((480, 640), 256, (192, 256)),
        ((640, 480), 64, (64, 48)),
        ((20, 30), 256, (20, 30)),
        ((2000, 1), 100, (100, 1)),
        ((1, 1), 1, (1, 1)),
    ],
)
def test_thumbnails_shrink_and_never_grow(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    pixels = np.ascontiguousarray(np.broadcast_to(np.array([200, 100, 50], np.uint8), (*size, 3)))
    data = encode_thumbnail(pixels, side=side)
    assert data == encode_thumbnail(pixels, side=side)
    image = Image.open(BytesIO(data))
    assert (image.format, image.height, image.width) == ("JPEG", *expected)
    assert np.abs(np.array(image).astype(int) - [200, 100, 50]).max() <= 3


def test_thumbnails_of_other_arrays_are_refused() -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ShapeError, match=r"pixels must be \(H, W, 3\) uint8 and not empty, got"):
            encode_thumbnail(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="side must be 1 or more"):
        encode_thumbnail(gradient(), side=0)
