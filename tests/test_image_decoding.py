"""Sound pictures: every format, mode and orientation comes out as the array that went in."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import EVERY_FORMAT, LOSSLESS, LOSSY, chunk, encode, gradient, png, sample
from PIL import Image

from nearid_search.image_decoding import MAX_STREAMED_PIXELS, decode_image

# Each EXIF orientation says which picture edges the stored row 0 and column 0 are; this is the upright picture.
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}


def decode(data: bytes, **options: int) -> NDArray[np.uint8]:
    return decode_image(data, name="memory", **options).pixels


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.mark.parametrize("variant", LOSSLESS)
def test_lossless_formats_come_back_exactly(variant: str) -> None:
    decoded = decode_image(sample(variant), name="memory")
    np.testing.assert_array_equal(decoded.pixels, gradient())
    assert (decoded.width, decoded.height, decoded.format) == (64, 48, variant.split("-")[0])
    assert decoded.pixels.flags.c_contiguous
    assert decoded.pixels.flags.writeable


@pytest.mark.parametrize("variant", LOSSY)
def test_lossy_formats_come_back_closely(variant: str) -> None:
    decoded = decode_image(sample(variant), name="memory")
    assert difference(decoded.pixels, gradient()) < 3.0
    assert decoded.format == {"MPO": "JPEG"}.get(variant, variant.split("-")[0])


def test_gif_and_palette_png_come_back_exactly_when_the_colours_fit() -> None:
    image = Image.fromarray(gradient()).quantize(16)
    expected = np.array(image.convert("RGB"))
    for variant in ("GIF", "PNG", "BMP", "TIFF"):
        np.testing.assert_array_equal(decode(encode(image, variant)), expected)


@pytest.mark.parametrize("variant", ["GIF", "PNG", "TIFF", "WEBP-LOSSLESS"])
def test_only_the_first_frame_is_read(variant: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encode(frames[0], variant, save_all=True, append_images=frames[1:])
    assert (decode(data) == (255, 0, 0)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("variant", ["JPEG", "PNG", "TIFF", "TIFF-LZW", "WEBP-LOSSLESS", "AVIF", "HEIF"])
def test_orientation_is_applied(variant: str, orientation: int) -> None:
    data = encode(Image.fromarray(gradient()), variant, exif=exif(orientation))
    decoded = decode_image(data, name="memory")
    assert difference(decoded.pixels, UPRIGHT[orientation](gradient())) < 3.0
    assert (decoded.height, decoded.width) == decoded.pixels.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_a_reduced_picture(orientation: int) -> None:
    stored = gradient(480, 640)
    decoded = decode_image(encode(Image.fromarray(stored), "JPEG", exif=exif(orientation)), name="memory", min_side=60)
    small = stored.reshape(60, 8, 80, 8, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    assert difference(decoded.pixels, UPRIGHT[orientation](small)) < 2.0
    assert (decoded.height, decoded.width) == ((480, 640) if orientation < 5 else (640, 480))


def test_damaged_exif_leaves_the_picture_as_stored() -> None:
    data = encode(Image.fromarray(gradient()), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    assert difference(decode(data), gradient()) < 3.0


@pytest.mark.parametrize("size", [(480, 640), (481, 643), (999, 70), (64, 64)])
@pytest.mark.parametrize("min_side", [1, 59, 60, 61, 224, 5000])
def test_reduction_keeps_both_sides(size: tuple[int, int], min_side: int) -> None:
    data = encode(Image.fromarray(gradient(*size)), "JPEG")
    whole, reduced = decode_image(data, name="memory"), decode_image(data, name="memory", min_side=min_side)
    assert min(reduced.pixels.shape[:2]) >= min(min_side, *size)
    assert (reduced.width, reduced.height) == (whole.width, whole.height) == size[::-1]
    factor = next(f for f in (8, 4, 2, 1) if f == 1 or min(size) // min_side >= f)
    height, width = reduced.pixels.shape[:2]
    assert (height, width) == (-(-size[0] // factor), -(-size[1] // factor))
    oracle = np.array(Image.fromarray(whole.pixels).resize((width, height), Image.Resampling.BOX))
    assert difference(reduced.pixels, oracle) < 3.0
    np.testing.assert_array_equal(reduced.pixels, decode(data, min_side=min_side))


@pytest.mark.parametrize("variant", [*LOSSLESS, "WEBP", "AVIF", "HEIF", "GIF"])
def test_other_formats_are_never_reduced(variant: str) -> None:
    np.testing.assert_array_equal(decode(sample(variant), min_side=1), decode(sample(variant)))


def test_reduced_size_counts_against_the_bound_of_a_streamed_jpeg_only() -> None:
    image = Image.fromarray(gradient(480, 640))
    assert decode(encode(image, "JPEG"), min_side=60, max_pixels=60 * 80).shape == (60, 80, 3)
    for data in (encode(image, "JPEG-PROGRESSIVE"), encode(image, "JPEG")):
        with pytest.raises(OSError, match=r"too large: 640 x 480 = 307,200 pixels, at most 4,800 fit"):
            decode(data, max_pixels=4800, **({} if b"\xff\xc0" in data else {"min_side": 60}))
    assert MAX_STREAMED_PIXELS > 200e6  # the largest pictures phones take


@pytest.mark.parametrize("variant", ["PNG", "TIFF", "WEBP-LOSSLESS", "AVIF", "HEIF"])
def test_alpha_is_blended_onto_white(variant: str) -> None:
    alpha = np.linspace(0, 255, 64).astype(np.uint8)[None, :].repeat(48, axis=0)
    data = encode(Image.fromarray(np.dstack([gradient(), alpha])), variant, **_exact(variant))
    share = alpha[..., None] / 255.0
    expected = np.rint(gradient() * share + 255.0 * (1 - share)).astype(np.uint8)
    assert difference(decode(data), expected) < (0.1 if variant in LOSSLESS else 3.0)


def _exact(variant: str) -> dict[str, object]:
    return {"exact": True} if variant == "WEBP-LOSSLESS" else {}


def test_grey_with_alpha_and_palette_transparency_become_white() -> None:
    grey = Image.merge("LA", [Image.new("L", (4, 2), 100), Image.frombytes("L", (4, 2), bytes([0, 255, 51, 255] * 2))])
    assert decode(encode(grey, "PNG"))[0, :, 0].tolist() == [255, 100, 224, 100]
    palette = Image.new("P", (3, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.putdata([0, 1, 2])
    for variant, transparency in (("PNG", 1), ("GIF", 1), ("PNG", bytes([255, 0, 255]))):
        pixels = decode(encode(palette, variant, transparency=transparency))
        assert pixels[0].tolist() == [[255, 0, 0], [255, 255, 255], [0, 0, 255]]


def test_palette_with_alpha_channel_becomes_white() -> None:
    image = Image.new("PA", (2, 1))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putdata([(1, 0), (1, 255)])
    data = encode(image, "TIFF")
    assert Image.open(BytesIO(data)).mode == "PA"
    assert decode(data).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_transparent_key_colour_becomes_white() -> None:
    image = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], dtype=np.uint8))
    assert decode(encode(image, "PNG", transparency=(9, 8, 7))).tolist() == [[[255, 255, 255], [1, 2, 3]]]
    wide = png(2, 1, b"\x00\x40\x00\x80\x00", depth=16)
    keyed = wide.replace(chunk(b"IEND", b""), b"")
    at = keyed.index(b"IDAT") - 4
    keyed = keyed[:at] + chunk(b"tRNS", b"\x40\x00") + keyed[at:] + chunk(b"IEND", b"")
    assert decode(wide)[0, :, 0].tolist() == [64, 128]
    assert decode(keyed)[0, :, 0].tolist() == [255, 128]


def test_cmyk_jpeg_has_its_colours() -> None:
    cmyk = Image.fromarray(gradient()).convert("CMYK")
    assert difference(decode(encode(cmyk, "JPEG")), gradient()) < 3.0
    assert difference(decode(encode(cmyk, "TIFF")), gradient()) == 0.0


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_grey_is_scaled_not_clipped(order: str) -> None:
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    expected = np.rint(values / 257.0).astype(np.uint8)
    if order == ">":
        rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)
        data = png(32, 32, rows, depth=16)
    else:
        data = encode(Image.fromarray(values), "TIFF")
    np.testing.assert_array_equal(decode(data)[..., 1], expected)


def test_16_bit_colour_keeps_the_high_byte() -> None:
    rows = b"\x00" + np.array([0, 32768, 65535], dtype=">u2").tobytes()
    assert decode(png(1, 1, rows, depth=16, colour=2)).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("mode", ["1", "L", "LAB", "YCbCr", "F", "I"])
def test_other_modes(mode: str) -> None:
    image = Image.fromarray(gradient()).convert("L" if mode in "1FI" else "RGB").convert(mode)
    expected = np.array(image.convert("RGB"))
    np.testing.assert_array_equal(decode(encode(image, "TIFF")), expected)


def test_a_decoder_leaves_pillow_as_it_was() -> None:
    """In a fresh interpreter: no format is registered, no limit moved, and HEIC is decoded all the same."""
    program = (
        "import sys; from PIL import Image, ImageFile; before = (Image.MAX_IMAGE_PIXELS, dict(Image.OPEN));"
        "from nearid_search.image_decoding import decode_image; assert 'pillow_heif' not in sys.modules;"
        "decode_image(sys.stdin.buffer.read(), name='memory'); assert 'HEIF' not in Image.OPEN;"
        "assert Image.MAX_IMAGE_PIXELS == before[0] and not ImageFile.LOAD_TRUNCATED_IMAGES"
    )
    done = subprocess.run([sys.executable, "-c", program], input=sample("HEIF"), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_many_threads_decode_the_same_pixels() -> None:
    expected = {variant: decode(sample(variant)) for variant in EVERY_FORMAT}
    with ThreadPoolExecutor(12) as pool:
        jobs = [(variant, pool.submit(decode, sample(variant))) for _ in range(12) for variant in EVERY_FORMAT]
        for variant, job in jobs:
            np.testing.assert_array_equal(job.result(), expected[variant])


def test_bytes_after_the_picture_do_not_matter() -> None:
    for variant in ("JPEG", "PNG", "GIF"):
        np.testing.assert_array_equal(decode(sample(variant) + b"\x00" * 100), decode(sample(variant)))
