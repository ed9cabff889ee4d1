"""Where training runs: one device, several of one machine, or several processes."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import tensorflow as tf

from convrnn_experiments.errors import ConvRNNError
from convrnn_model.backend import keras

JOIN = 240
"""Seconds in which all processes that train together have to be there."""


@cache
def strategy(devices: tuple[str, ...] = ()) -> Any:
    """How a training is spread over devices; the same object for the same devices.

    Args:
        devices: such as ("GPU:0", "GPU:1"); every GPU of the machine where none is named.

    Returns:
        TensorFlow's default strategy for at most one device, else a MirroredStrategy, which splits every batch.

    Raises:
        ConvRNNError: a device is not there.
    """
    if keras.backend.backend() != "tensorflow":
        tf.config.set_visible_devices([], "GPU")  # TensorFlow only reads pictures then
        return tf.distribute.get_strategy()
    if devices and all(device.startswith("CPU") for device in devices):
        tf.config.set_visible_devices([], "GPU")  # the default strategy would take the first GPU
    there = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    if missing := [device for device in devices if device not in there]:
        raise ConvRNNError(
            f"cannot use --devices: each must be one of {', '.join(there)}, got {', '.join(missing)}. Choose among "
            "these, or omit --devices to use every GPU"
        )
    chosen = devices or tuple(name for name in there if name.startswith("GPU"))
    return tf.distribute.MirroredStrategy(list(chosen)) if len(chosen) > 1 else tf.distribute.get_strategy()


class ReplicaSeeds(keras.random.SeedGenerator):
    """Seeds that differ between the replicas of a MirroredStrategy, whose state is one and the same."""

    def next(self, ordered: bool = True) -> Any:
        """The next seed, (2,): the stream's own, moved on by the replica's number."""
        seed = super().next(ordered)
        replica = _replica()
        return seed if replica is None else seed + keras.ops.cast(keras.ops.stack([replica, 0]), seed.dtype)


def _replica() -> Any:
    if keras.backend.backend() != "tensorflow" or not tf.distribute.has_strategy():
        return None
    context = tf.distribute.get_replica_context()
    return None if context is None else context.replica_id_in_sync_group


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        index: 0 for the one that writes.
        count: how many there are.
    """

    index: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes the run's files."""
        return self.index == 0

    def together(self, what: str) -> None:
        """Wait until every process has come here."""
        if self.count > 1:
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices(what)


@contextlib.contextmanager
def _ended_after(seconds: float, message: str) -> Iterator[None]:
    """End this process where what is within takes longer: JAX itself aborts after 300 s, with a C++ stack trace."""

    def end() -> None:
        way_out = "Start every process with the same --coordinator within that time, and open its port"
        print(f"convrnn: error: cannot start training: {message}. {way_out}", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def join(coordinator: str, index: int, count: int) -> Processes:
    """Become one of several processes, on one machine or more, that split every batch between them.

    Keras on JAX does this (`keras.distribution.DataParallel`): the weights, gradients and batch statistics are those
    of the whole batch in every process. To be called before anything is computed.

    Args:
        coordinator: HOST:PORT that the first process opens and all can reach.
        index: this process's number, from 0.
        count: how many there are.

    Raises:
        ConvRNNError: another backend than JAX, or a number that is not among them.
    """
    if keras.backend.backend() != "jax":
        raise ConvRNNError(
            f"cannot train over several processes: Keras' backend must be jax, got {keras.backend.backend()}. "
            "`pip install jax`, and set KERAS_BACKEND=jax"
        )
    if not 0 <= index < count:
        raise ConvRNNError(
            f"cannot join the training: --process must be from 0 to {count - 1} for --processes {count}, got {index}. "
            "Number the processes from 0"
        )
    import jax

    # Without it, processes on CPUs alone cannot add their gradients.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    rule = f"process {index} of {count} must reach the others at {coordinator} within {JOIN} s, got no answer"
    with _ended_after(JOIN, rule):
        keras.distribution.initialize(coordinator, count, index)
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    return Processes(index, count)
