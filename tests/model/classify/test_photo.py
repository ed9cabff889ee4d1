"""Reading of photos: modes, orientation, crop, and files that are not photos."""

import io

import numpy as np
import pytest

from convrnn_model import ConvRNNError
from convrnn_model.classify import photo as module
from convrnn_model.classify import read_photo

pytestmark = pytest.mark.together
Image = pytest.importorskip("PIL.Image", reason="photos need Pillow, an extra of convrnn-model")

LEFT, RIGHT = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def halves():
    """Photo of 60 x 40 px, red on the left and blue on the right."""
    pixels = np.empty((40, 60, 3), np.uint8)
    pixels[:, :30], pixels[:, 30:] = LEFT, RIGHT
    return Image.fromarray(pixels)


def read(tmp_path, image, *, size=16, suffix="png", **options):
    path = tmp_path / f"photo.{suffix}"
    image.save(path, **options)
    return read_photo(path, size)


def test_the_central_square_is_resized(tmp_path, halves):
    photo = read(tmp_path, halves)
    assert (photo.width, photo.height, photo.image.shape, photo.image.dtype) == (
        60,
        40,
        (16, 16, 3),
        np.uint8,
    )
    np.testing.assert_array_equal(photo.image[:, :7], np.broadcast_to(LEFT, (16, 7, 3)))
    np.testing.assert_array_equal(photo.image[:, 9:], np.broadcast_to(RIGHT, (16, 7, 3)))


def test_reduction_averages(tmp_path):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    image = read(tmp_path, Image.fromarray(stripes), size=8).image
    assert np.abs(image.astype(int) - 127).max() <= 8  # the filter ends at the edges


@pytest.mark.parametrize("mode", ["L", "CMYK", "YCbCr", "LA", "RGBA"])
def test_every_mode_becomes_color(tmp_path, halves, mode):
    suffix = "tiff" if mode in ("CMYK", "YCbCr") else "png"
    photo = read(tmp_path, halves.convert(mode), suffix=suffix)
    assert photo.image.shape == (16, 16, 3)
    expected = np.asarray(halves.convert(mode).convert("RGB"))[20, [15, 45]].astype(int)
    assert np.abs(photo.image[8, [2, 13]].astype(int) - expected).max() <= 2


def test_palettes_and_single_bits_become_color(tmp_path, halves):
    palette = read(tmp_path, halves.quantize(2))
    assert np.abs(palette.image[8, 2].astype(int) - LEFT).max() <= 8
    bits = read(tmp_path, halves.convert("L").point(lambda value: 255 * (value > 50), "1"))
    np.testing.assert_array_equal(bits.image[8, [2, 13], 0], [255, 0])


def test_sixteen_bits_are_reduced_to_eight(tmp_path):
    values = np.full((8, 8), 65535, np.uint16)
    values[:, 4:] = 32896
    photo = read(tmp_path, Image.fromarray(values), size=8)
    np.testing.assert_array_equal(photo.image[0, [0, 7], 0], [255, 128])


def test_transparent_pixels_are_white(tmp_path, halves):
    clear = halves.convert("RGBA")
    clear.putalpha(0)
    assert (read(tmp_path, clear).image == 255).all()


def test_photos_are_turned_upright(tmp_path, halves):
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the file is the right side of the photo
    photo = read(tmp_path, halves, suffix="jpg", exif=exif, quality=95)
    assert (photo.width, photo.height) == (40, 60)
    assert photo.image[2, 8, 0] > 150 > photo.image[13, 8, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "got an empty file"),
        (b"text", "got a damaged or truncated file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "got a damaged or truncated file"),
    ],
)
def test_what_is_not_a_photo_is_named(tmp_path, data, message):
    (tmp_path / "photo.jpg").write_bytes(data)
    with pytest.raises(
        ConvRNNError, match=rf"cannot read the photo .*photo\.jpg: it must be an intact .*{message}"
    ):
        read_photo(tmp_path / "photo.jpg")


def test_a_truncated_photo_is_named(tmp_path):
    buffer, rng = io.BytesIO(), np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "JPEG")
    (tmp_path / "photo.jpg").write_bytes(buffer.getvalue()[:2000])
    with pytest.raises(ConvRNNError, match="got a damaged or truncated file"):
        read_photo(tmp_path / "photo.jpg")


def test_a_missing_file_and_a_bomb_are_named(tmp_path, halves, monkeypatch):
    with pytest.raises(ConvRNNError, match="No such file"):
        read_photo(tmp_path / "photo.jpg")
    monkeypatch.setattr(module, "MOST_PIXELS", 1000)
    with pytest.raises(ConvRNNError, match="at most 1,000 pixels, got 60 x 40"):
        read(tmp_path, halves)
