"""Random arrays, and convolutions that the package does not compute."""

import keras
import numpy as np

IMAGES = np.random.default_rng(1).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.stop_gradient(tensor))


def random_array(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def random_tensor(seed, *shape):
    return keras.ops.convert_to_tensor(random_array(seed, *shape))


def keras_convolution(images, kernel):
    return keras.ops.conv(images, kernel, strides=1, padding="same", data_format="channels_last")


def numpy_convolution(images, kernel):
    """Convolve with `same` padding, one kernel position at a time, in double precision."""
    side, (_, height, width, _) = kernel.shape[0], images.shape
    before = (side - 1) // 2
    margin = (before, side - 1 - before)
    padded = np.pad(images.astype(np.float64), ((0, 0), margin, margin, (0, 0)))
    return sum(
        padded[:, y : y + height, x : x + width] @ kernel[y, x].astype(np.float64)
        for y in range(side)
        for x in range(side)
    )


def predict(model):
    """Return the model's outputs for `IMAGES`, computed in the graph of Keras' predict."""
    return [np.asarray(answer) for answer in model.predict_on_batch(IMAGES)]
