"""Bad pictures: each kind is refused with its reason, and nothing but UnreadableImageError ever comes out."""

import random
import struct
import subprocess
import sys
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pictures import EVERY_FORMAT, chunk, encode, gradient, png, png_header, sample
from PIL import Image

from nearid_search.errors import UnreadableImageError
from nearid_search.image_decoding import MAX_STREAMED_PIXELS, DecodedImage, decode_image
from nearid_search.image_formats import describe_unknown, ends_early, sniff_format
from nearid_search.images import read_image

HUGE_GIF = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
HUGE_GIF += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"


def refusal(data: bytes, **options: int) -> str:
    with pytest.raises(UnreadableImageError) as caught:
        decode_image(data, name="some/file.jpg", **options)
    assert caught.value.path == "some/file.jpg"
    assert str(caught.value) == f"some/file.jpg: {caught.value.reason}"
    return caught.value.reason


def bomb_png(side: int = 50_000) -> bytes:
    """A PNG of zeros, each row compressed to almost nothing: its bytes are small, its pixels are not."""
    packer = zlib.compressobj(9)
    row = bytes(side + 1)
    body = b"".join(packer.compress(row) for _ in range(200)) + packer.flush(zlib.Z_SYNC_FLUSH)
    return png_header(side, side) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
@pytest.mark.parametrize("variant", EVERY_FORMAT)
def test_truncated_files_are_refused_as_truncated(variant: str, share: float) -> None:
    data = sample(variant)
    if variant == "MPO":  # its second picture is not read: cut inside the first
        data = data[: data.index(b"\xff\xd8\xff", 2)]
    kept = max(16, int(len(data) * share))
    assert refusal(data[:kept]).startswith(f"truncated {sniff_format(data)}: ")


@pytest.mark.parametrize("variant", EVERY_FORMAT)
def test_a_file_cut_anywhere_is_refused_or_complete(variant: str) -> None:
    data = sample(variant)
    whole = decode_image(data, name="whole").pixels
    for kept in {*range(1, 60, 7), *range(60, len(data), max(1, len(data) // 40)), *range(len(data) - 14, len(data))}:
        try:
            decoded = decode_image(data[:kept], name="cut")
        except UnreadableImageError:
            continue
        np.testing.assert_array_equal(decoded.pixels, whole, err_msg=f"{variant} cut to {kept} bytes")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file: zero bytes"),
        (b"\x00", r"not an image: starts with b'\x00'"),
        (b"hello, this is text\n", r"not an image: starts with b'hello, this is text\n'"),
        (b"<!DOCTYPE html><html>", "not an image: starts with b'<!DOCTYPE html><html>'"),
        (b"%PDF-1.7\n", "unsupported format PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unsupported format PostScript"),
        (b"8BPS\x00\x01", "unsupported format Photoshop"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "unsupported format ISO media b'mp42'"),
        (b"RIFF\x00\x00\x00\x00WAVE", "unsupported format RIFF (a film or sound)"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


@pytest.mark.parametrize("name", ["EPS", "PDF", "ICNS", "ICO", "PPM", "TGA", "PCX", "SGI", "JPEG2000", "DDS"])
def test_other_formats_pillow_knows_are_not_opened(name: str) -> None:
    data = encode(Image.fromarray(gradient(64, 64)), name)
    assert refusal(data) == describe_unknown(data)


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    for variant in EVERY_FORMAT:
        path = tmp_path / "picture.jpg"
        path.write_bytes(sample(variant))
        assert read_image(path).format == sniff_format(sample(variant))


def test_generic_iso_brand_opens_by_its_compatible_brands() -> None:
    for variant in ("AVIF", "HEIF"):
        data = sample(variant)
        generic = data[:8] + b"mif1" + data[12:]
        assert decode_image(generic, name="generic").format == variant


def test_bombs_are_refused_by_their_header() -> None:
    data = bomb_png()
    assert len(data) < 16_000
    assert refusal(data).startswith("too large: 50000 x 50000 = 2,500,000,000 pixels, at most ")
    assert refusal(HUGE_GIF).startswith("too large: 65535 x 65535 = 4,294,836,225 pixels, at most ")
    jpeg = bytearray(sample("JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65500, 65500)
    assert refusal(bytes(jpeg), min_side=224).endswith(f"at most {MAX_STREAMED_PIXELS:,} fit in memory")


def test_a_bomb_hidden_in_one_frame_of_a_gif_is_refused() -> None:
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    frame = b"," + struct.pack("<HHHHB", 60000, 60000, 60000, 60000, 0) + b"\x02\x02\x4c\x01\x00;"
    assert refusal(screen + frame).startswith("too large: ")


def test_refusing_bombs_takes_little_memory() -> None:
    """Measured in its own process, whose peak nothing else has raised."""
    program = (
        "import resource, sys, struct; from nearid_search.image_decoding import decode_image\n"
        "from nearid_search.errors import UnreadableImageError\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "data = sys.stdin.buffer.read(); (size,) = struct.unpack('>I', data[:4]); before = peak()\n"
        "for bomb in (data[4:4 + size], data[4 + size:]):\n"
        "    try: decode_image(bomb, name='bomb')\n"
        "    except UnreadableImageError as error: assert 'too large' in error.reason\n"
        "    else: sys.exit('a bomb was decoded')\n"
        "print(peak() - before)"
    )
    bomb = bomb_png()
    stream = struct.pack(">I", len(bomb)) + bomb + HUGE_GIF
    done = subprocess.run([sys.executable, "-c", program], input=stream, capture_output=True, check=True)
    assert int(done.stdout) < 16 * 2**20


def test_compressed_text_and_profile_bombs_in_a_png_are_bounded() -> None:
    zeros = zlib.compress(bytes(200_000_000), 9)
    sound = png(4, 4, bytes(20))
    for kind, body in ((b"zTXt", b"k\x00\x00" + zeros), (b"iCCP", b"p\x00\x00" + zeros)):
        try:
            decoded = decode_image(sound[:33] + chunk(kind, body) + sound[33:], name="bomb")
        except UnreadableImageError as error:
            assert "Decompressed data too large" in error.reason  # noqa: PT017 - either outcome is safe
        else:
            assert decoded.pixels.shape == (4, 4, 3)


def test_max_pixels_is_inclusive_and_checked() -> None:
    data = sample("PNG")
    assert decode_image(data, name="x", max_pixels=48 * 64).width == 64
    assert refusal(data, max_pixels=48 * 64 - 1) == "too large: 64 x 48 = 3,072 pixels, at most 3,071 fit in memory"
    with pytest.raises(ValueError, match="max_pixels must be 1 or more, got 0"):
        decode_image(data, name="x", max_pixels=0)
    with pytest.raises(ValueError, match="min_side must be 0 or more pixels, got -1"):
        decode_image(data, name="x", min_side=-1)


def test_damage_in_the_middle_is_called_corrupt() -> None:
    data = bytearray(sample("PNG"))
    data[-40] ^= 0xFF
    assert refusal(bytes(data)).startswith("corrupt PNG: ")
    assert not ends_early(bytes(data), "PNG")


@pytest.mark.parametrize("variant", EVERY_FORMAT)
def test_random_damage_gives_a_picture_or_a_refusal(variant: str, capfd: pytest.CaptureFixture[str]) -> None:
    generator = random.Random(f"damage {variant}")  # noqa: S311 - repeatable, not secret
    original = sample(variant)
    for _ in range(60):
        data = bytearray(original)
        for _ in range(generator.choice((1, 2, 8, 40))):
            # Half of the damage goes where the parsers are: the first and last hundred bytes.
            span = generator.choice((range(12, 112), range(len(data) - 100, len(data)), range(len(data))))
            data[generator.choice(span) % len(data)] = generator.randrange(256)
        if generator.random() < 0.3:
            del data[generator.randrange(1, len(data)) :]
        try:
            decoded = decode_image(bytes(data), name="damaged", min_side=generator.choice((0, 8)), max_pixels=2**20)
        except UnreadableImageError as error:
            assert error.reason  # noqa: PT017 - either outcome is right
        else:
            assert isinstance(decoded, DecodedImage)
            assert decoded.pixels.ndim == 3
    if not variant.startswith("TIFF-"):  # libtiff, which decodes compressed TIFF, writes to stderr by itself
        assert capfd.readouterr() == ("", "")


def test_remarks_of_the_decoder_are_neither_shown_nor_raised(capfd: pytest.CaptureFixture[str]) -> None:
    """Pillow warns about this EXIF block and then reads the picture; in this run a warning would be an error."""
    block = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00"
    data = encode(Image.fromarray(gradient()), "JPEG", exif=block)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        Image.open(BytesIO(data)).getexif()
    assert decode_image(data, name="odd").width == 64
    with warnings.catch_warnings(record=True) as shown:  # whoever restores older filters drops ours; it comes back
        warnings.resetwarnings()
        assert decode_image(data, name="odd").width == 64
    assert not shown
    assert capfd.readouterr() == ("", "")
