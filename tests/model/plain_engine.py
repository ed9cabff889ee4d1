"""The operations of a network, computed one after the other in NumPy: the reference of the engines."""

import numpy as np


def run(network, operations, images):
    """Compute every value, (batch, H, W, channels) or (batch, channels), by name, of images or of frames by name."""
    values = dict(images) if isinstance(images, dict) else {"image": images}
    for operation in operations:
        inputs = [values[name] for name in operation.inputs]
        values[operation.output] = globals()[f"_{operation.kind}"](network, operation.weights, *inputs)
    return values


def _convolution(network, name, x):
    kernel = network.kernels[name]
    side, (height, width) = len(kernel), x.shape[1:3]
    before = (side - 1) // 2
    margin = (before, side - 1 - before)
    padded = np.pad(x, ((0, 0), margin, margin, (0, 0)))
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(side) for j in range(side)
    )


def _top_down(network, name, above, below):
    """Add each px of the input, times the kernel, to the px of the output that it pooled or its neighbours did."""
    kernel = network.kernels[name]
    side, (height, width) = len(kernel), above.shape[1:3]
    first = (side - 2) // 2
    whole = np.zeros((len(above), 2 * height + side, 2 * width + side, kernel.shape[2]), above.dtype)
    for i in range(side):
        for j in range(side):
            whole[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += above @ kernel[i, j].T
    result = np.zeros((*below.shape[:3], kernel.shape[2]), above.dtype)
    inside = slice(first, first + 2 * height), slice(first, first + 2 * width)
    result[:, : 2 * height, : 2 * width] = whole[:, *inside]
    return result


def _add(network, name, *terms):
    return sum(terms)


def _normalization(network, name, x):
    scale, shift = network.normalizations[name]
    return x * scale + shift


def _relu(network, name, x):
    return np.maximum(x, 0)


def _max_pool(network, name, x):
    height, width = (2 * (length // 2) for length in x.shape[1:3])
    return np.maximum.reduce([x[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)])


def _average(network, name, x):
    return x.mean(axis=(1, 2))


def _dense(network, name, x):
    kernel, bias = network.readouts[name]
    return x @ kernel + bias


def _softmax(network, name, x):
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
