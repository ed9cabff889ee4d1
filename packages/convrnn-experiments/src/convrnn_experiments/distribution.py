"""Where training runs: one device, several of one machine, or several processes."""

from functools import cache
from typing import Any

import keras
import tensorflow as tf

from convrnn_experiments.errors import ConvRNNError


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
    there = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    if missing := [device for device in devices if device not in there]:
        raise ConvRNNError(f"--devices names {', '.join(missing)}; this machine has {', '.join(there)}")
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
