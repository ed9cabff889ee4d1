"""Batches: every row once, in an order and with crops that are functions of seed and epoch alone."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convrnn_experiments.pipeline import (
    RATIOS,
    Frame,
    Pictures,
    batches,
    decode_ratios,
    epoch_jitter,
    epoch_rows,
)


def jpeg(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def gradients(count: int, width: int = 60, height: int = 40) -> list[np.ndarray]:
    """Smooth pictures, so that JPEG and resizing change little: red rises to the right, green downwards."""
    red = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    green = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return [np.stack([red, green, np.full_like(red, 8 * i)], -1).astype(np.uint8) for i in range(count)]


def pictures(arrays: list[np.ndarray]) -> Pictures:
    encoded = [jpeg(array) for array in arrays]
    return Pictures(
        read=lambda rows: [encoded[row] for row in rows],
        labels=np.arange(len(arrays)) % 16,
        widths=np.array([array.shape[1] for array in arrays]),
        heights=np.array([array.shape[0] for array in arrays]),
    )


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 20), batch=st.integers(1, 9), epoch=st.integers(0, 3), skip=st.integers(0, 2))
def test_every_row_once_and_resumable_at_any_batch(count: int, batch: int, epoch: int, skip: int) -> None:
    source = pictures(gradients(count, 12, 10))
    order = epoch_rows(count, seed=5, epoch=epoch)
    assert sorted(order) == list(range(count))
    skip = min(skip, -(-count // batch) - 1)
    found = [rows.numpy() for _, _, rows in batches(source, Frame(8, 8), batch, rows=order, first_batch=skip)]
    np.testing.assert_array_equal(np.concatenate(found), order[skip * batch :])
    assert all(len(rows) == batch for rows in found[:-1])


def test_epochs_and_seeds_differ_and_repeat() -> None:
    assert not np.array_equal(epoch_rows(50, seed=0, epoch=0), epoch_rows(50, seed=0, epoch=1))
    assert not np.array_equal(epoch_rows(50, seed=0, epoch=0), epoch_rows(50, seed=1, epoch=0))
    np.testing.assert_array_equal(epoch_jitter(50, seed=0, epoch=4), epoch_jitter(50, seed=0, epoch=4))


def test_images_belong_to_their_rows_and_labels() -> None:
    source = pictures(gradients(20))
    order = epoch_rows(20, seed=0, epoch=0)
    for images, labels, rows in batches(source, Frame(16, 16), 6, rows=order):
        assert images.dtype == "uint8"
        np.testing.assert_array_equal(labels, rows.numpy() % 16)
        blue = images.numpy()[..., 2].mean(axis=(1, 2))
        np.testing.assert_allclose(blue, 8 * rows.numpy(), atol=4)  # JPEG rounds


def test_centre_crop_against_pillow() -> None:
    (array,) = gradients(1, 60, 40)
    ((images, _, _),) = batches(pictures([array]), Frame(20, 25), 1)
    # 20/25 of the 40 px side: a square of 32 px in the middle.
    expected = Image.fromarray(array).crop((14, 4, 46, 36)).resize((20, 20), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(images[0].numpy().astype(int), np.asarray(expected).astype(int), atol=4)


@pytest.mark.parametrize(
    ("place", "corner"), [((0.0, 0.0), (0, 0)), ((0.999, 0.999), (8, 28)), ((0.0, 0.999), (0, 28))]
)
def test_crops_reach_every_edge(place: tuple[float, float], corner: tuple[int, int]) -> None:
    (array,) = gradients(1, 60, 40)
    source = pictures([array])
    jitter = np.float32([[*place, 0.0], [*place, 0.9]])
    top, left = corner
    expected = Image.fromarray(array[top : top + 32, left : left + 32]).resize(
        (20, 20), Image.Resampling.BILINEAR
    )
    expected = np.asarray(expected).astype(int)
    ((plain, _, _),) = batches(source, Frame(20, 25), 1, jitter=jitter[:1])
    ((flipped, _, _),) = batches(source, Frame(20, 25), 1, jitter=jitter[1:])
    np.testing.assert_allclose(plain[0].numpy().astype(int), expected, atol=4)
    np.testing.assert_allclose(flipped[0].numpy().astype(int), expected[:, ::-1], atol=4)


def test_coarse_decoding_never_enlarges_and_looks_the_same() -> None:
    widths, heights = np.array([500, 256, 255, 100, 4000]), np.array([375, 256, 300, 90, 3000])
    frame = Frame(128, 128)
    chosen = np.array(RATIOS)[decode_ratios(widths, heights, frame)]
    np.testing.assert_array_equal(chosen, [2, 2, 1, 1, 8])
    (array,) = gradients(1, 500, 375)
    source = pictures([array])
    full = Pictures(
        source.read, source.labels, np.array([1]), np.array([1])
    )  # too small to be decoded coarsely
    ((coarse, _, _),) = batches(source, frame, 1)
    ((fine, _, _),) = batches(full, frame, 1)
    np.testing.assert_allclose(coarse.numpy().astype(int), fine.numpy().astype(int), atol=3)


def test_grayscale_files_have_three_channels() -> None:
    source = pictures([np.full((9, 9), 77, np.uint8)])
    ((images, _, _),) = batches(source, Frame(4, 4), 1)
    np.testing.assert_array_equal(images, np.full((1, 4, 4, 3), 77))
