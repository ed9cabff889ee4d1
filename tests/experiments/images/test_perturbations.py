"""Perturbations of each regime against independent NumPy and SciPy computations."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest, truncnorm

from convrnn_data.base.random_streams import Stream
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images.perturbations import Perturb, perturb, set_stream
from convrnn_experiments.images.resizing import resize

NOISE, BLUR = CONDITIONS[Regime.NOISE], CONDITIONS[Regime.BLUR]


def random_images(batch: int, height: int = 24, width: int = 31, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((batch, height, width, 3), dtype=np.float32)


def run(images: np.ndarray, condition, seed: int = 1, levels=None) -> tuple[np.ndarray, np.ndarray]:
    generator = keras.random.SeedGenerator(seed)
    out, drawn = perturb(images, condition, seed_generator=generator, levels=levels)
    return keras.ops.convert_to_numpy(out), keras.ops.convert_to_numpy(drawn)


def luma(images: np.ndarray) -> np.ndarray:
    return np.repeat((images @ np.float32([0.2989, 0.587, 0.114]))[..., None], 3, axis=-1)


def test_color_images_are_unchanged() -> None:
    images = random_images(3)
    out, levels = run(images, CONDITIONS[Regime.COLOR])
    np.testing.assert_array_equal(out, images)
    np.testing.assert_array_equal(levels, np.zeros(3))


def test_grayscale_is_luma() -> None:
    images = random_images(3)
    out, _ = run(images, CONDITIONS[Regime.GRAYSCALE])
    np.testing.assert_allclose(out, luma(images), atol=1e-6)


def test_noise_moves_each_image_to_mean_and_contrast() -> None:
    # Images of very different brightness: a mean over batch, rows or channels would not come out at 0.5 for each.
    images = random_images(4) * np.float32([0.1, 0.4, 0.7, 1.0])[:, None, None, None]
    out, _ = run(images, NOISE, levels=np.zeros(4))
    gray = luma(images).astype(np.float64)
    expected = 0.5 + 0.2 * (gray - gray.mean(axis=(1, 2, 3), keepdims=True))
    np.testing.assert_allclose(out, expected, atol=1e-6)
    np.testing.assert_allclose(out.mean(axis=(1, 2, 3)), 0.5, atol=1e-6)
    np.testing.assert_allclose(out.std(axis=(1, 2, 3)), 0.2 * gray.std(axis=(1, 2, 3)), rtol=1e-4)


def test_noise_is_truncated_gray_and_new_for_each_image() -> None:
    images = np.full((6, 128, 128, 3), 0.3, np.float32)
    levels = np.float32([0.04, 0.04, 0.02, 0.01, 0.16, 0.0])
    noise = run(images, NOISE, levels=levels)[0] - 0.5
    np.testing.assert_array_equal(noise[..., 0], noise[..., 2])
    assert np.all(np.abs(noise[..., 0]).max(axis=(1, 2)) <= 2 * levels + 1e-6)
    # Var of a standard normal truncated at +-2 is 1 - 2*2*phi(2)/(Phi(2)-Phi(-2)): SD 0.8796. 128*128 values
    # estimate an SD to 1/sqrt(2*16384) = 0.55 %; five times that.
    np.testing.assert_allclose(noise[..., 0].std(axis=(1, 2)), 0.87962 * levels, rtol=0.0275)
    assert abs(np.corrcoef(noise[0, ..., 0].ravel(), noise[1, ..., 0].ravel())[0, 1]) < 0.04
    # Redrawn, not clipped: no mass gathers at the two ends.
    assert np.mean(np.abs(noise[0, ..., 0]) > 1.999 * 0.04) < 0.001
    standard = noise[:5, ..., 0] / levels[:5, None, None]
    # 81,920 values: the statistic is below 1.95 / sqrt(n) with a probability of 99.9 %.
    assert kstest(standard.ravel(), truncnorm(-2, 2).cdf).statistic < 0.0069


@pytest.mark.parametrize("shape", [(24, 31), (32, 32), (64, 40)])
def test_blur_equals_scipy(shape: tuple[int, int]) -> None:
    levels = np.float32([0.0, 0.1, 0.7, 1.5, 3.0, 9.0])
    images = random_images(len(levels), *shape)
    out, _ = run(images, BLUR, levels=levels)
    for image, blurred, sd in zip(images, out, levels, strict=True):
        # scipy takes the radius from a float64 SD; a float32 0.7 is the same up to rounding at a half.
        expected = gaussian_filter(image.astype(np.float64), (float(sd), float(sd), 0)) if sd else image
        np.testing.assert_allclose(blurred, expected, atol=2e-6)


@pytest.mark.parametrize("regime", [Regime.NOISE, Regime.BLUR])
def test_levels_are_drawn_per_image_from_the_table(regime: Regime) -> None:
    condition = CONDITIONS[regime]
    _, levels = run(np.zeros((620, 2, 2, 3), np.float32), condition)
    assert set(np.round(levels, 3)) == set(np.round(np.float32(condition.levels), 3))
    counts = np.unique(np.round(levels, 3), return_counts=True)[1]
    expected = 620 / len(condition.levels)
    # Chi-square with at most 30 degrees of freedom: over 70 has a probability under 5e-5.
    assert np.sum((counts - expected) ** 2 / expected) < 70


@pytest.mark.parametrize("regime", [Regime.NOISE, Regime.BLUR])
def test_traced_once_drawn_anew_each_time(regime: Regime) -> None:
    generator = keras.random.SeedGenerator(3)
    images = tf.constant(random_images(16))

    @tf.function
    def step(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return perturb(x, CONDITIONS[regime], seed_generator=generator)

    first, second = step(images), step(images)
    assert step.experimental_get_tracing_count() == 1
    assert not np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], second[0])


def test_levels_are_drawn_anew_within_tf_data() -> None:
    generator = keras.random.SeedGenerator(3)
    batches = tf.data.Dataset.from_tensors(random_images(8)).repeat(3)
    batches = batches.map(lambda x: perturb(x, NOISE, seed_generator=generator))
    drawn = [levels.numpy() for _, levels in batches]
    assert len({tuple(levels) for levels in drawn}) == 3


def test_layer_draws_anew_in_fit_and_restarts_where_told() -> None:
    layer = Perturb(NOISE, seed=7)
    images = np.full((4, 16, 16, 3), 100, np.uint8)
    layer.restart(Stream.TRAINING_PERTURBATION, 5)
    first, second = np.asarray(layer(images)), np.asarray(layer(images))
    assert not np.array_equal(first, second)
    layer.restart(Stream.TRAINING_PERTURBATION, 5)
    np.testing.assert_array_equal(np.asarray(layer(images)), first)
    layer.restart(Stream.TRAINING_PERTURBATION, 6)
    assert not np.array_equal(np.asarray(layer(images)), first)


@pytest.mark.parametrize("size", [16, 21, 32])
@pytest.mark.parametrize("regime", Regime)
def test_images_are_perturbed_before_they_are_resized(regime: Regime, size: int) -> None:
    images, levels = random_images(3, 32, 32), np.float32(CONDITIONS[regime].levels[-1:] * 3)
    generators = [keras.random.SeedGenerator(5) for _ in range(2)]
    whole, _ = perturb(images, CONDITIONS[regime], seed_generator=generators[0], levels=levels)
    small, _ = perturb(images, CONDITIONS[regime], seed_generator=generators[1], levels=levels, size=size)
    np.testing.assert_allclose(small, resize(whole, size), atol=2e-6)
    layer = Perturb(CONDITIONS[regime], size=size, seed=1)
    layer.restart(Stream.TRAINING_PERTURBATION)
    shown = np.rint(255 * images).astype(np.uint8)
    set_stream(generators[0], 1, Stream.TRAINING_PERTURBATION)
    expected, _ = perturb(
        shown / np.float32(255), CONDITIONS[regime], seed_generator=generators[0], size=size
    )
    np.testing.assert_allclose(layer(shown), 2 * np.asarray(expected) - 1, atol=1e-6)


@pytest.mark.parametrize("drawn", [True, False])
def test_drawn_blur_is_the_blur_of_the_level(drawn: bool) -> None:
    # Kernels of drawn levels come from a table, those of given levels are computed.
    images, condition = random_images(40, 24, 31), BLUR.with_levels((0.0, 0.7, 3.0))
    out, levels = run(images, condition, levels=None if drawn else np.float32([0.0, 0.7] * 20))
    for image, blurred, sd in zip(images, out, levels, strict=True):
        expected = gaussian_filter(image.astype(np.float64), (float(sd), float(sd), 0)) if sd else image
        np.testing.assert_allclose(blurred, expected, atol=2e-6)


def test_layer_feeds_the_networks_range() -> None:
    layer = Perturb(CONDITIONS[Regime.COLOR])
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=-1)
    np.testing.assert_allclose(np.asarray(layer(images)), images / 127.5 - 1, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    batch=st.integers(1, 5),
    height=st.integers(2, 40),
    value=st.sampled_from([0.0, 0.5, 1.0]),
    regime=st.sampled_from(list(Regime)),
)
def test_any_batch_stays_in_range(batch: int, height: int, value: float, regime: Regime) -> None:
    out, levels = run(np.full((batch, height, 9, 3), value, np.float32), CONDITIONS[regime])
    assert out.shape == (batch, height, 9, 3)
    assert levels.shape == (batch,)
    assert np.isfinite(out).all()
    assert out.min() >= -1e-6
    assert out.max() <= 1 + 1e-6


def test_invalid_levels_are_refused() -> None:
    assert NOISE.with_levels((0.1, 0.2)).levels == (0.1, 0.2)
    with pytest.raises(ConvRNNError, match="regime must be noise or blur, got levels"):
        CONDITIONS[Regime.COLOR].with_levels((0.1,))
    with pytest.raises(ConvRNNError, match="at least 0"):
        BLUR.with_levels((-1.0,))
