"""Seeded damage and known bombs, straight through the decoder; the benchmark runs thousands through `index`."""

import pytest
from picture_bombs import bombs
from picture_damage import MUTATIONS, damaged_pictures
from pictures import EVERY_FORMAT, sample

from nearid_search.errors import UnreadableImageError
from nearid_search.image_decoding import MAX_SCANS, DecodedImage, decode_image
from nearid_search.image_formats import count_scans

SOUND = {variant: sample(variant) for variant in EVERY_FORMAT}
TOO_LARGE = ("pixels.png", "tall.png", "screen.gif", "frame.gif", "canvas.webp", "pixels.tiff", "pixels.jpg")
# The others take a second or more to make or to read: the benchmark has them all.
CHEAP = (
    *TOO_LARGE,
    "wide.png",
    "loop.tiff",
    "exif.jpg",
    "profile.jpg",
    "pixels.bmp",
    "negative.bmp",
    "box.heic",
    "box.avif",
)


def outcome(data: bytes) -> str:
    try:
        decoded = decode_image(data, name="damaged", min_side=32, max_pixels=2**22)
    except UnreadableImageError as error:
        return error.reason
    assert isinstance(decoded, DecodedImage)
    return "read"


def test_a_hundred_damaged_pictures_are_read_or_refused() -> None:
    made = list(damaged_pictures(SOUND, count=104, seed=1))
    assert {picture.variant for picture in made} == set(EVERY_FORMAT)
    assert {name for picture in made for name in picture.damage.split("+")} == {rule.__name__ for rule in MUTATIONS}
    outcomes = [outcome(picture.data) for picture in made]
    assert not any("\n" in said for said in outcomes)
    assert 10 < outcomes.count("read") < 94


def test_the_same_seed_gives_the_same_files() -> None:
    once, again = (list(damaged_pictures(SOUND, count=26, seed=5)) for _ in range(2))
    assert once == again
    assert once != list(damaged_pictures(SOUND, count=26, seed=6))


@pytest.mark.parametrize("name", CHEAP)
def test_a_bomb_is_refused_or_harmless(name: str) -> None:
    said = outcome(bombs()[name]())
    if name in TOO_LARGE:
        assert said.startswith("too large: ")


def test_a_jpeg_of_too_many_scans_is_refused() -> None:
    jpeg = sample("JPEG-PROGRESSIVE")
    at = jpeg.rindex(b"\xff\xda")
    assert outcome(jpeg[:at] + jpeg[at:-2] * 200 + jpeg[-2:]) == "read"
    assert outcome(jpeg[:at] + jpeg[at:-2] * 250 + jpeg[-2:]) == f"too large: more than {MAX_SCANS} scans"


@pytest.mark.parametrize(("variant", "scans"), [("JPEG", 1), ("MPO", 1), ("JPEG-PROGRESSIVE", 10)])
def test_scans_are_counted(variant: str, scans: int) -> None:
    """Of the first picture alone, and not those that a comment seems to end or begin."""
    data = sample(variant)
    begin = data.index(b"\xff\xda")
    start = begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big")
    assert count_scans(data, start, most=100) == scans
    assert count_scans(data, start, most=5) == min(5, scans)
    end = data.index(b"\xff\xd9", start)
    hidden = data[:end] + b"\xff\xfe\x00\x06\xff\xd9\xff\xda" + data[end:]
    assert count_scans(hidden, start, most=100) == scans
