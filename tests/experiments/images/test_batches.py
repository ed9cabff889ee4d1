"""Batches of images: every row once, in an order and with crops determined by seed and epoch."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from images_by_hand import encoded, jpeg, noise
from PIL import Image

import convrnn_data
import convrnn_experiments
from convrnn_data import PreparedSet
from convrnn_data.base.random_streams import Stream, generator
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.store import view_order
from convrnn_experiments.images import decoding
from convrnn_experiments.images.batches import (
    IMAGES_PER_CALL,
    RATIOS,
    EncodedImages,
    Frame,
    batches,
    decode_ratios,
    epoch_jitter,
    epoch_rows,
    images_of_split,
    rows_of_process,
    unreadable,
)


def gradients(count: int, width: int = 60, height: int = 40) -> list[np.ndarray]:
    """Return smooth images, which JPEG and resizing change little: red rises to the right, green downwards."""
    red = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    green = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return [np.stack([red, green, np.full_like(red, 8 * i)], -1).astype(np.uint8) for i in range(count)]


def encoded_images(arrays: list[np.ndarray], files: list[bytes] | None = None) -> EncodedImages:
    files = files or [jpeg(array) for array in arrays]
    return EncodedImages(
        read=lambda rows: [files[row] for row in rows],
        labels=np.arange(len(arrays)) % 16,
        widths=np.array([array.shape[1] for array in arrays]),
        heights=np.array([array.shape[0] for array in arrays]),
    )


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 20), batch=st.integers(1, 9), epoch=st.integers(0, 3), skip=st.integers(0, 2))
def test_every_row_is_read_once_from_any_first_batch(count: int, batch: int, epoch: int, skip: int) -> None:
    source = encoded_images(gradients(count, 12, 10))
    order = epoch_rows(count, seed=5, epoch=epoch)
    assert sorted(order) == list(range(count))
    skip = min(skip, -(-count // batch) - 1)
    found = [rows.numpy() for _, _, rows in batches(source, Frame(8, 8), batch, rows=order, first_batch=skip)]
    np.testing.assert_array_equal(np.concatenate(found), order[skip * batch :])
    assert all(len(rows) == batch for rows in found[:-1])


def test_orders_and_crops_are_determined_by_seed_and_epoch() -> None:
    assert not np.array_equal(epoch_rows(50, seed=0, epoch=0), epoch_rows(50, seed=0, epoch=1))
    assert not np.array_equal(epoch_rows(50, seed=0, epoch=0), epoch_rows(50, seed=1, epoch=0))
    np.testing.assert_array_equal(epoch_jitter(50, seed=0, epoch=4), epoch_jitter(50, seed=0, epoch=4))


def test_images_belong_to_their_rows_and_labels() -> None:
    source = encoded_images(gradients(20))
    order = epoch_rows(20, seed=0, epoch=0)
    for images, labels, rows in batches(source, Frame(16, 16), 6, rows=order):
        assert images.dtype == "uint8"
        np.testing.assert_array_equal(labels, rows.numpy() % 16)
        blue = images.numpy()[..., 2].mean(axis=(1, 2))
        np.testing.assert_allclose(blue, 8 * rows.numpy(), atol=4)  # JPEG rounds


def by_pillow(file: bytes, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Return a square of the image, decoded and resized by Pillow."""
    square = Image.open(io.BytesIO(file)).convert("RGB").crop(box)
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR)).astype(int)


def test_centre_crop_against_pillow() -> None:
    file = jpeg(noise(40, 60))
    ((images, _, _),) = batches(encoded_images([noise(40, 60)], [file]), Frame(20, 25), 1)
    # 20/25 of the 40 px side: a square of 32 px in the middle.
    expected = by_pillow(file, (14, 4, 46, 36), 20)
    np.testing.assert_allclose(images[0].numpy().astype(int), expected, atol=1)  # both round twice


@pytest.mark.parametrize(
    ("place", "corner"), [((0.0, 0.0), (0, 0)), ((0.999, 0.999), (8, 28)), ((0.0, 0.999), (0, 28))]
)
def test_crops_reach_every_edge(place: tuple[float, float], corner: tuple[int, int]) -> None:
    file = jpeg(noise(40, 60))
    source = encoded_images([noise(40, 60)], [file])
    jitter = np.float32([[*place, 0.0], [*place, 0.9]])
    top, left = corner
    expected = by_pillow(file, (left, top, left + 32, top + 32), 20)
    ((plain, _, _),) = batches(source, Frame(20, 25), 1, jitter=jitter[:1])
    ((flipped, _, _),) = batches(source, Frame(20, 25), 1, jitter=jitter[1:])
    np.testing.assert_allclose(plain[0].numpy().astype(int), expected, atol=1)
    np.testing.assert_array_equal(flipped[0], plain[0].numpy()[:, ::-1])


def test_coarse_decoding_never_enlarges_and_preserves_the_image() -> None:
    widths, heights = np.array([500, 256, 255, 100, 4000]), np.array([375, 256, 300, 90, 3000])
    frame = Frame(128, 128)
    chosen = np.array(RATIOS)[decode_ratios(widths, heights, frame)]
    np.testing.assert_array_equal(chosen, [2, 2, 1, 1, 8])
    (array,) = gradients(1, 500, 375)
    source = encoded_images([array])
    full = EncodedImages(
        source.read, source.labels, np.array([1]), np.array([1])
    )  # too small to be decoded coarsely
    ((coarse, _, _),) = batches(source, frame, 1)
    ((fine, _, _),) = batches(full, frame, 1)
    np.testing.assert_allclose(coarse.numpy().astype(int), fine.numpy().astype(int), atol=3)


def test_grayscale_files_have_three_channels() -> None:
    source = encoded_images([np.full((9, 9), 77, np.uint8)])
    ((images, _, _),) = batches(source, Frame(4, 4), 1)
    np.testing.assert_array_equal(images, np.full((1, 4, 4, 3), 77))


@pytest.mark.parametrize("shape", [(300, 401), (1024, 1280), (2051, 1100)])
def test_coarse_decoding_equals_tensorflow(shape: tuple[int, int]) -> None:
    array = noise(*shape)
    file = encoded(array, quality=80)
    ratio = RATIOS[decode_ratios(np.array([shape[1]]), np.array([shape[0]]), Frame(128, 128))[0]]
    assert ratio > 1
    expected_pixels = tf.io.decode_jpeg(file, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE").numpy()
    pixels = decoding.decode(file, [-(-side // ratio) for side in shape])
    np.testing.assert_array_equal(pixels, expected_pixels)
    ((images, _, _),) = batches(encoded_images([array], [file]), Frame(128, 128), 1)
    height, width = expected_pixels.shape[:2]
    side = min(height, width)
    top, left = ((free - side + 1) // 2 for free in (height, width))
    square = tf.image.resize(
        expected_pixels[top : top + side, left : left + side], (128, 128), antialias=True
    )
    np.testing.assert_allclose(images[0].numpy().astype(float), square, atol=1.5)  # rounded twice, not once


@pytest.mark.parametrize("bad", [b"", b"no picture", jpeg(noise(64, 64))[:1500]])
def test_an_unreadable_image_is_a_one_line_error(bad: bytes) -> None:
    files = [jpeg(noise(64, 64)), bad]
    with pytest.raises(tf.errors.OpError) as caught:
        list(batches(encoded_images([noise(64, 64)] * 2, files), Frame(16, 16), 1))
    message = str(unreadable(caught.value, "some/set"))
    assert message.startswith("cannot decode an image of some/set: ")
    assert len(message.splitlines()) == 1


def test_pixels_do_not_depend_on_batches_or_threads() -> None:
    arrays = [noise(60 + row, 300 - row, row) for row in range(2 * IMAGES_PER_CALL + 3)]
    source, frame = encoded_images(arrays), Frame(24, 28)
    jitter = epoch_jitter(len(arrays), seed=3, epoch=1)
    together = np.concatenate([images for images, _, _ in batches(source, frame, 7, jitter=jitter)])
    order = epoch_rows(len(arrays), seed=1, epoch=0)
    for row in order:
        ((alone, _, _),) = batches(source, frame, 1, rows=np.array([row]), jitter=jitter)
        np.testing.assert_array_equal(alone[0], together[row])
    reordered = np.concatenate(
        [images for images, _, _ in batches(source, frame, 64, rows=order, jitter=jitter)]
    )
    np.testing.assert_array_equal(reordered, together[order])


def test_orders_crops_and_views_of_all_epochs_are_independent() -> None:
    # `default_rng([seed, 2])` and `default_rng([seed, 2, 0])` draw the same, so plain lists are not enough.
    drawn = [
        tuple(generator(7, stream, *indices).random(4))
        for stream in (Stream.EPOCH_ORDER, Stream.EPOCH_CROPS, Stream.VIEW_ORDER)
        for indices in ((), *((epoch,) for epoch in range(20)))
    ]
    assert len(set(drawn)) == len(drawn)
    starts = generator(7, Stream.VIEW_ORDER).integers(4, size=50)
    np.testing.assert_array_equal(view_order(50, 4, seed=7, epoch=2), (starts + 2) % 4)
    np.testing.assert_array_equal(
        epoch_rows(50, seed=7, epoch=2), generator(7, Stream.EPOCH_ORDER, 2).permutation(50)
    )


@pytest.mark.parametrize("stream", Stream)
def test_every_stream_is_drawn_from(stream: Stream) -> None:
    folders = (Path(package.__file__).parent for package in (convrnn_data, convrnn_experiments))
    sources = [path.read_text() for folder in folders for path in folder.rglob("*.py")]
    assert any(f"Stream.{stream.name}" in source for source in sources), f"remove {stream.name}"


@given(count=st.integers(1, 60), share=st.integers(1, 6), processes=st.integers(1, 5), seed=st.integers(0, 9))
def test_processes_read_every_row_once(count: int, share: int, processes: int, seed: int) -> None:
    rows = epoch_rows(count, seed=seed, epoch=0)
    size = share * processes
    parts = [rows_of_process(rows, size, index=index, count=processes) for index in range(processes)]
    assert len({len(part) for part in parts}) == 1
    for start in range(0, count, size):
        local = [part[start // processes : start // processes + share] for part in parts]
        shown = np.concatenate(local)
        np.testing.assert_array_equal(np.sort(shown[shown >= 0]), np.sort(rows[start : start + size]))


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(
        ConvRNNError, match=r"a multiple of --processes 3, got 10\. Give a multiple such as 12"
    ):
        rows_of_process(np.arange(9), 10, index=0, count=3)


def test_a_truncated_shard_is_named(prepared: PreparedSet, tmp_path: Path) -> None:
    truncated = Path(shutil.copytree(prepared.path, tmp_path / "truncated"))
    shard = next((truncated / "train").glob("*.tar"))
    with shard.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(tf.errors.OpError) as caught:
        list(batches(images_of_split(PreparedSet(truncated), "train"), Frame(16, 16), 4))
    message = unreadable(caught.value, "data")
    assert isinstance(message, ConvRNNError)
    assert str(shard) in str(message)
    assert len(str(message).splitlines()) == 1
