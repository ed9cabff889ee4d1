"""Compilation of functions, and the helpers that several of them call."""

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba compiles the functions")

from convrnn_model.compiling import (
    compiled,
    max_of_2x2,
    normalised_relu,
    prefetch,
    prefetch_to_write,
)

NAN = np.float32(np.nan)


@pytest.fixture(scope="module")
def helpers():
    """A function that pools and normalises, and prefetches on the way."""

    @compiled
    def run(images, pooled, scale, shift, normalised):
        for y in range(pooled.shape[0]):
            prefetch(images, (0, 2 * y, 0, 0))
            for x in range(pooled.shape[1]):
                prefetch_to_write(pooled, (y, x))
                pooled[y, x] = max_of_2x2(images, 0, 2 * y + 1, 2 * x + 1, 0)
                normalised[y, x] = normalised_relu(pooled[y, x], scale, shift)

    return run


def pooled_and_normalised(helpers, image, scale=1, shift=0):
    pooled, normalised = (np.full((len(image) // 2, image.shape[1] // 2), 9, np.float32) for _ in range(2))
    helpers(image[None, :, :, None], pooled, np.float32(scale), np.float32(shift), normalised)
    return pooled, normalised


def test_pooling_and_normalisation(helpers):
    image = np.float32([[1, 2, -5, -6], [4, 3, -8, -7]])
    pooled, normalised = pooled_and_normalised(helpers, image, scale=2, shift=-3)
    assert pooled.tolist() == [[4, -5]]
    assert normalised.tolist() == [[5, 0]]


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_nan_is_propagated_from_any_pixel(place, helpers):
    image = np.float32([[1, 2], [3, 4]])
    image[place] = NAN
    pooled, normalised = pooled_and_normalised(helpers, image)
    assert np.isnan(pooled).all()
    assert np.isnan(normalised).all()


def test_functions_without_a_cache_directory_are_compiled():
    namespace = {}
    exec("def double(values):\n    for i in range(values.size):\n        values[i] *= 2\n", namespace)
    values = np.float32([1, -2])
    # numba cannot cache functions that are in no file.
    compiled(namespace["double"])(values)
    assert values.tolist() == [2, -4]
