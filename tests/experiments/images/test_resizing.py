"""Resizing on the device: Pillow's filter, exact sums, any size, and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convrnn_experiments.images.resizing import resize, resize_matrix


def random_images(batch: int, side: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((batch, side, side, channels), dtype=np.float32)


@pytest.mark.parametrize(("side", "size"), [(224, 128), (224, 64), (48, 47), (30, 60), (128, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_equal_pillow_and_tensorflow(side: int, size: int, channels: int) -> None:
    images = random_images(2, side, channels)
    resized = keras.ops.convert_to_numpy(resize(images, size))
    assert resized.shape == (2, size, size, channels)
    for image, result in zip(images, resized, strict=True):
        for channel in range(channels):
            plane = Image.fromarray(image[..., channel]).resize((size, size), Image.Resampling.BILINEAR)
            np.testing.assert_allclose(result[..., channel], plane, atol=1e-5)
    # TensorFlow computes its weights in float32.
    np.testing.assert_allclose(resized, tf.image.resize(images, (size, size), antialias=True), atol=5e-5)


def test_images_of_the_requested_size_are_returned_unchanged() -> None:
    images = random_images(2, 24)
    assert resize(images, 24) is images


@settings(max_examples=40, deadline=None)
@given(source=st.integers(1, 300), size=st.integers(1, 300))
def test_each_output_pixel_is_a_mean_of_input_pixels(source: int, size: int) -> None:
    matrix = resize_matrix(source, size)
    assert matrix.shape == (size, source)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)


def test_gradients_are_the_transposed_matrices() -> None:
    images, upstream = tf.constant(random_images(1, 28, 1)), random_images(1, 16, 1)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(resize(images, 16) * upstream)
    matrix = resize_matrix(28, 16)
    expected = matrix.T @ upstream[0, ..., 0] @ matrix
    np.testing.assert_allclose(tape.gradient(total, images)[0, ..., 0], expected, atol=1e-5)
