"""tf.data datasets without autotuning.

TensorFlow's autotuning runs an optimizer thread for each iteration, and the end of the iteration waits for that thread,
whose sleeps double from 10 ms. An epoch of 12.5 s can so take 20.5 s with idle processors. Keras makes an autotuned
dataset of its own from arrays given to `fit`, `evaluate` and `predict`.
"""

from typing import Any

import tensorflow as tf


def without_autotuning(dataset: tf.data.Dataset, *, private_threads: bool = False) -> tf.data.Dataset:
    """Return the dataset with autotuning off; datasets made of it inherit the setting.

    Args:
        dataset: every `num_parallel_calls` and buffer size in it is a number.
        private_threads: give the dataset a thread for each processor, and none of those that TensorFlow computes on.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    if private_threads:
        options.threading.private_threadpool_size = 0
    return dataset.with_options(options)


def array_batches(*arrays: Any, batch_size: int = 32) -> tf.data.Dataset:
    """Batches of arrays in their order, to be given to `fit`, `evaluate` or `predict` in place of the arrays.

    Args:
        arrays: inputs, then labels and sample weights where needed, each (n, ...) or a structure of such.
        batch_size: as Keras' default.

    Returns:
        A dataset of tuples with a batch of each.
    """
    dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)
    return without_autotuning(dataset.prefetch(2))
