"""Build the network of a configuration and load its weights."""

from collections.abc import Callable

import convrnn_model
from convrnn_data import CATEGORIES
from convrnn_experiments.runs.config import Config, weights_file
from convrnn_experiments.runtime.processes import strategy
from convrnn_model import inspect_weights, load_weights, names
from convrnn_model.backend import keras


def build_network(config: Config) -> keras.Model:
    """Build the network of a configuration with 16 classes and initial weights."""
    shape = (config.image_size, config.image_size, 3)
    build = getattr(convrnn_model, f"{config.network}_net")
    if config.network == "bl":
        steps, cumulative = config.timesteps, config.cumulative_readout
        return build(shape, len(CATEGORIES), steps, cumulative, width=config.width)
    return build(shape, len(CATEGORIES), width=config.width)


def prepare_network(config: Config, echo: Callable[[str], None]) -> keras.Model:
    """Build the network of a configuration, load its weights, and print one line on them."""
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32")
    with strategy(config.devices).scope():
        network = build_network(config)
    if config.weights == "none":
        echo(f"weights: none; {config.network} at width {config.width:g} starts from seed {config.seed}")
    else:
        path = weights_file(config.weights)
        info = inspect_weights(path)
        other_classes = info.classes != len(CATEGORIES)
        loaded = load_weights(network, path, readout="skip" if other_classes else "strict")
        readout = f"its {info.classes}-class readout left out, a new one" if other_classes else "its readout kept"
        echo(
            f"weights: {path}: {info.variant}, {info.dataset or 'no published set'}, "
            f"{len(loaded.loaded)} arrays; {readout}"
        )
    if config.trainable == "readout":
        for layer in network.layers:
            layer.trainable = layer.name == names.READOUT
    return network
