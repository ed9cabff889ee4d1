"""tf.data datasets without autotuning.

TensorFlow's autotuning starts an optimizer thread per iteration, which sleeps for intervals that double from 10 ms. The
end of the iteration waits for this thread, so an epoch of 12.5 s can take 20.5 s while processors are idle. Keras
converts arrays passed to `fit`, `evaluate` and `predict` to an autotuned dataset; pass `array_batches` instead.
"""

from typing import Any

import tensorflow as tf


def without_autotuning(dataset: tf.data.Dataset, *, private_threads: bool = False) -> tf.data.Dataset:
    """Return a dataset without autotuning; datasets derived from it inherit the setting.

    Args:
        dataset: Its `num_parallel_calls` and buffer sizes must be numbers, not `tf.data.AUTOTUNE`.
        private_threads: Use a thread pool of one thread per processor, separate from TensorFlow's computing threads.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    if private_threads:
        options.threading.private_threadpool_size = 0
    return dataset.with_options(options)


def array_batches(*arrays: Any, batch_size: int = 32) -> tf.data.Dataset:
    """Return batches of arrays in the given order, to pass to `fit`, `evaluate` or `predict` instead of the arrays.

    Args:
        arrays: Inputs, then labels and sample weights if needed, each (n, ...), or structures of them.
        batch_size: Images per batch; Keras' default.

    Returns:
        A dataset of tuples, each with one batch of every array.
    """
    dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)
    return without_autotuning(dataset.prefetch(2))
