"""From the bytes of an image to what the networks were trained on."""

from typing import Any

import numpy as np

from convrnn_model.backend import keras


def preprocess_image(image: Any) -> Any:
    """Scale 8-bit images to [-1, 1], as `image / 127.5 - 1`.

    Args:
        image: uint8 in [0, 255], any shape; an array, or a tensor of the backend.

    Returns:
        float32 in [-1, 1], of the same shape; an array for an array, a tensor for a tensor.

    Raises:
        TypeError: Another dtype. A floating image may already be scaled, to [0, 1] or to [-1, 1], and its
            numbers cannot tell which.
    """
    tensor = keras.ops.is_tensor(image)
    dtype = keras.backend.standardize_dtype(image.dtype) if tensor else np.asarray(image).dtype.name
    if dtype != "uint8":
        raise TypeError(
            f"preprocess_image takes uint8 in [0, 255], got {dtype}. Scale images in [0, 1] with image * 2 - 1 instead."
        )
    if tensor:
        return keras.ops.cast(image, "float32") / 127.5 - 1
    return np.asarray(image).astype(np.float32) / np.float32(127.5) - np.float32(1)
