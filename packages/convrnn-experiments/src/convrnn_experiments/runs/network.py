"""The network that a configuration describes: built, and with its weights loaded."""

from collections.abc import Callable

import convrnn_model
from convrnn_data import CATEGORIES
from convrnn_experiments.runs.config import Config, weights_file
from convrnn_experiments.runtime.processes import strategy
from convrnn_model import inspect_weights, load_weights, names
from convrnn_model.backend import keras


def build_network(config: Config) -> keras.Model:
    """The network that a configuration describes, 16 classes, freshly initialised."""
    shape = (config.image_size, config.image_size, 3)
    build = getattr(convrnn_model, f"{config.network}_net")
    if config.network == "bl":
        steps, cumulative = config.timesteps, config.cumulative_readout
        return build(shape, len(CATEGORIES), steps, cumulative, width=config.width)
    return build(shape, len(CATEGORIES), width=config.width)


def prepare_network(config: Config, say: Callable[[str], None]) -> keras.Model:
    """Build the network and load its weights, saying in one line what was loaded."""
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32")
    with strategy(config.devices).scope():
        network = build_network(config)
    if config.weights == "none":
        say(f"weights: none; {config.network} at width {config.width:g} starts from seed {config.seed}")
    else:
        path = weights_file(config.weights)
        info = inspect_weights(path)
        foreign = info.classes != len(CATEGORIES)
        loaded = load_weights(network, path, readout="skip" if foreign else "strict")
        readout = f"its {info.classes}-class readout left out, a new one" if foreign else "its readout kept"
        say(
            f"weights: {path}: {info.variant}, {info.dataset or 'no published set'}, "
            f"{len(loaded.loaded)} arrays; {readout}"
        )
    if config.trainable == "readout":
        for layer in network.layers:
            layer.trainable = layer.name == names.READOUT
    return network
