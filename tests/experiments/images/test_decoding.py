"""Decoding, cropping and resizing of one image, against Pillow and by hand."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images_by_hand import encoded, jpeg, noise
from PIL import Image

from convrnn_data.shards.images import BadImage
from convrnn_experiments.images import decoding


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "CMYK"},
        {"mode": "L"},
        {"progressive": True},
        {"subsampling": 2},
        {"form": "PNG"},
        {"form": "PNG", "mode": "P"},
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},  # rotated
    ],
    ids=str,
)
def test_every_format_is_decoded(settings: dict) -> None:
    file = encoded(noise(50, 70), **settings)
    expected = np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)
    np.testing.assert_allclose(
        decoding.decode(file).astype(int), expected, atol=1
    )  # CMYK is rounded differently


def test_harmless_extra_bytes_are_accepted() -> None:
    file = jpeg(noise(50, 70))
    np.testing.assert_array_equal(decoding.decode(file[:-2] + b"\0\0\0" + file[-2:]), decoding.decode(file))


@settings(max_examples=30, deadline=None)
@given(part=st.floats(0, 0.98))
def test_a_truncated_image_is_an_error(part: float) -> None:
    file = jpeg(noise(64, 64))
    with pytest.raises(BadImage):
        decoding.decode(file[: int(part * len(file))])


@pytest.mark.parametrize(("side", "size"), [(188, 128), (100, 128), (128, 128), (900, 128), (1, 8)])
def test_pillow_is_the_fallback_for_resizing(side: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    square = noise(side, side)
    fast = decoding.resizer(size)(square)
    monkeypatch.setattr(decoding, "Resizer", None)
    slow = decoding.resizer(size)(square)
    np.testing.assert_allclose(fast.astype(int), slow.astype(int), atol=1)
    assert "cykooz-resizer" not in decoding.libraries()


def test_a_large_jpeg_is_decoded_at_reduced_size() -> None:
    file = jpeg(noise(400, 600))
    assert decoding.decode(file, (50, 75)).shape == (50, 75, 3)
    assert decoding.decode(file, (51, 0)).shape == (100, 150, 3)
    assert decoding.decode(encoded(noise(400, 600), "PNG"), (50, 75)).shape == (400, 600, 3)


def test_reduced_size_averages_pixels() -> None:
    array = np.zeros((64, 64, 3), np.uint8)
    array[:, 32:] = 200
    array[:, :32] = 40
    reduced = decoding.decode(jpeg(array), (8, 8)).astype(int)
    np.testing.assert_allclose(reduced[:, :4], 40, atol=1)
    np.testing.assert_allclose(reduced[:, 4:], 200, atol=1)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_size_is_read_from_the_header(form: str) -> None:
    file = encoded(noise(30, 50), form)
    assert decoding.size_of(file) == (30, 50)
    assert decoding.size_of(encoded(noise(30, 50))[:700]) == (30, 50)


@pytest.mark.parametrize("read", [decoding.decode, decoding.size_of])
def test_an_unknown_format_is_the_same_error_every_time(read: Callable[[bytes], object]) -> None:
    # Pillow's own message contains a memory address.
    with pytest.raises(BadImage) as caught:
        read(b"no image")
    assert (
        str(caught.value) == "it must be one of JPEG, PNG, GIF, BMP, TIFF, WEBP, got another format or damage"
    )


@pytest.mark.parametrize(
    ("fraction", "place", "rows", "columns"),
    [
        (1.0, (0.5, 0.5), (0, 8), (2, 10)),
        (0.5, (0.0, 0.0), (0, 4), (0, 4)),
        (0.5, (0.5, 0.5), (2, 6), (4, 8)),
        (0.5, (0.999, 0.999), (4, 8), (8, 12)),
        (0.01, (0.0, 0.5), (0, 1), (6, 7)),
    ],
)
def test_a_crop_is_a_square_at_its_place(
    fraction: float, place: tuple[float, float], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    image = noise(8, 12)
    cropped = decoding.cut(image, fraction, place)
    np.testing.assert_array_equal(cropped, image[slice(*rows), slice(*columns)])
    assert np.shares_memory(cropped, image)


def test_a_square_of_the_requested_size_is_not_resized() -> None:
    square = noise(16, 16)
    np.testing.assert_array_equal(decoding.resizer(16)(square), square)


def test_resizing_averages_what_it_shrinks() -> None:
    # Antialiasing: a checkerboard of single pixels becomes gray, where sampling would alias.
    board = np.where(np.indices((64, 64)).sum(axis=0) % 2, 255, 0).astype(np.uint8)
    resized = decoding.resizer(16)(board[..., None].repeat(3, axis=-1))
    np.testing.assert_allclose(resized[2:-2, 2:-2].astype(int), 127.5, atol=2)


def test_copies_are_mirrored() -> None:
    square, target = noise(9, 9), np.zeros((9, 9, 3), np.uint8)
    decoding.copy_mirrored(square, target)
    np.testing.assert_array_equal(target, np.flip(square, axis=1))
