"""Scaling of 8-bit images: exact, and only for this dtype."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as numpy_strategies

from convrnn_model import preprocess_image


@given(numpy_strategies.arrays(np.uint8, numpy_strategies.array_shapes(max_dims=4, max_side=5)))
def test_preprocessing_is_exact_and_reversible(image):
    scaled = preprocess_image(image)
    assert scaled.dtype == np.float32
    assert scaled.shape == image.shape
    assert -1 <= scaled.min() <= scaled.max() <= 1
    np.testing.assert_array_equal(np.rint((scaled + 1) * 127.5).astype(np.uint8), image)


def test_preprocessing_of_a_tensor():
    image = np.arange(256, dtype=np.uint8)
    scaled = preprocess_image(keras.ops.convert_to_tensor(image))
    assert keras.ops.is_tensor(scaled)
    # float32: a compiler may replace the division by a multiplication.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(scaled), preprocess_image(image), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int8", "bool"])
@pytest.mark.parametrize("convert", [np.asarray, keras.ops.convert_to_tensor])
def test_preprocessing_rejects_other_dtypes(dtype, convert):
    with pytest.raises(TypeError, match=f"takes uint8.*, got {dtype}"):
        preprocess_image(convert(np.zeros((2, 2, 3), dtype)))
