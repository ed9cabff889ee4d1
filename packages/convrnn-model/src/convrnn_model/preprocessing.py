"""Conversion of 8-bit images to the range that the networks were trained on."""

from typing import Any

import numpy as np


def preprocess_image(image: Any) -> Any:
    """Scale 8-bit images to [-1, 1], as `image / 127.5 - 1`.

    Args:
        image: uint8 in [0, 255], any shape; a NumPy array or a tensor of the backend.

    Returns:
        float32 in [-1, 1], of the same shape and kind.

    Raises:
        TypeError: The dtype is not uint8. A floating-point image may already be scaled to [0, 1] or [-1, 1], which
            its values do not reveal.
    """
    if not isinstance(image, np.ndarray):
        # Imported here, because arrays are converted without a backend.
        from convrnn_model.backend import keras

        if keras.ops.is_tensor(image):
            require_uint8(keras.backend.standardize_dtype(image.dtype))
            return keras.ops.cast(image, "float32") / 127.5 - 1
    array = np.asarray(image)
    require_uint8(array.dtype.name)
    return array.astype(np.float32) / np.float32(127.5) - np.float32(1)


def require_uint8(dtype: str, function: str = "preprocess_image") -> None:
    """Raise TypeError unless the dtype of a function's images is uint8."""
    if dtype != "uint8":
        raise TypeError(
            f"{function} takes uint8 in [0, 255], got {dtype}. Scale images in [0, 1] with image * 2 - 1 instead."
        )
