"""Distributed training over the devices of one machine, or over processes."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import tensorflow as tf

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_model.backend import keras

JOIN_TIMEOUT = 240
"""Seconds within which all processes of a group must connect."""


@cache
def strategy(devices: tuple[str, ...] = ()) -> Any:
    """Return the strategy that distributes training over devices; the same object for the same devices.

    Args:
        devices: Names such as ("GPU:0", "GPU:1"); by default, every GPU of the machine.

    Returns:
        TensorFlow's default strategy for at most one device, else a MirroredStrategy, which splits every batch.

    Raises:
        ConvRNNError: A device does not exist.
    """
    if keras.backend.backend() != "tensorflow":
        tf.config.set_visible_devices([], "GPU")  # TensorFlow only reads images
        return tf.distribute.get_strategy()
    if devices and all(device.startswith("CPU") for device in devices):
        tf.config.set_visible_devices([], "GPU")  # the default strategy would use the first GPU
    available = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    if missing := [device for device in devices if device not in available]:
        raise ConvRNNError(
            f"cannot use --devices: each must be one of {', '.join(available)}, got {', '.join(missing)}. Choose among "
            "these, or omit --devices to use every GPU"
        )
    chosen = devices or tuple(name for name in available if name.startswith("GPU"))
    return tf.distribute.MirroredStrategy(list(chosen)) if len(chosen) > 1 else tf.distribute.get_strategy()


class ReplicaSeeds(keras.random.SeedGenerator):
    """Seed generator whose seeds differ between the replicas of a MirroredStrategy, although these share its state."""

    def next(self, ordered: bool = True) -> Any:
        """Return the next seed of the stream plus the number of the replica, (2,)."""
        seed = super().next(ordered)
        replica = _replica()
        return seed if replica is None else seed + keras.ops.cast(keras.ops.stack([replica, 0]), seed.dtype)


def _replica() -> Any:
    if keras.backend.backend() != "tensorflow" or not tf.distribute.has_strategy():
        return None
    context = tf.distribute.get_replica_context()
    return None if context is None else context.replica_id_in_sync_group


@contextlib.contextmanager
def _exit_after(seconds: float, message: str) -> Iterator[None]:
    """Exit with an error if the context takes longer: JAX itself aborts after 300 s, with a C++ stack trace."""

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


def join(group: ProcessGroup) -> None:
    """Connect this process to its group, on one or several machines; must be called before anything is computed.

    Keras on JAX (`keras.distribution.DataParallel`) then splits every batch between the processes. In every process,
    weights, gradients and batch statistics are those of the whole batch.

    Raises:
        ConvRNNError: The backend is not JAX, or the number of this process is not in the group.
    """
    if group.coordinator is None:
        return
    if keras.backend.backend() != "jax":
        raise ConvRNNError(
            f"cannot train over several processes: Keras' backend must be jax, got {keras.backend.backend()}. "
            "`pip install jax`, and set KERAS_BACKEND=jax"
        )
    if not 0 <= group.process < group.processes:
        raise ConvRNNError(
            f"cannot join the training: --process must be from 0 to {group.processes - 1} for --processes "
            f"{group.processes}, got {group.process}. Number the processes from 0"
        )
    import jax

    # Processes on CPUs cannot sum their gradients without it.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    rule = (
        f"process {group.process} of {group.processes} must reach the others at {group.coordinator} within "
        f"{JOIN_TIMEOUT} s, got no answer"
    )
    with _exit_after(JOIN_TIMEOUT, rule):
        keras.distribution.initialize(group.coordinator, group.processes, group.process)
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
