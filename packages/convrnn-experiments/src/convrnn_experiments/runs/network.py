"""Build the network of a configuration and load its weights."""

from collections.abc import Callable
from pathlib import Path

import convrnn_model
from convrnn_data import CATEGORIES
from convrnn_experiments.runs.config import Config, weights_file
from convrnn_experiments.runs.environment import Inference
from convrnn_experiments.runtime.processes import strategy
from convrnn_model import inspect_weights, load_weights, names
from convrnn_model.backend import keras
from convrnn_model.inference import Predictor, compile_network
from convrnn_model.inference.choice import choose
from convrnn_model.inference.processor import processor


def build_network(config: Config, classes: int = len(CATEGORIES)) -> keras.Model:
    """Build the network of a configuration with initial weights."""
    shape = (config.image_size, config.image_size, 3)
    build = getattr(convrnn_model, f"{config.network}_net")
    if config.network == "bl":
        steps, cumulative = config.timesteps, config.cumulative_readout
        return build(shape, classes, steps, cumulative, width=config.width)
    return build(shape, classes, width=config.width)


def describe_weights(path: Path) -> str:
    """Describe a weights file: network and published set; a line without a full stop."""
    info = inspect_weights(path)
    return f"weights: {path}: {info.variant}, {info.dataset or 'no published set'}"


def frozen_inference(config: Config, *, gpu: bool = False) -> Inference:
    """Choose how the frozen network of a configuration is computed; reads no weights.

    Args:
        config: The configuration.
        gpu: Whether Keras computes on a GPU.

    Raises:
        ConvRNNError: The engine or the precision is not available on this machine.
    """
    wanted, kind = config.inference, processor()
    choice = choose(None if wanted == "auto" else wanted, config.precision, kind, gpu=gpu)
    return Inference(engine=choice.engine, precision=config.precision, processor=kind)


def feature_predictor(config: Config, threads: int | None = None) -> Predictor:
    """Compile the frozen network of a configuration: images (batch, H, W, 3) -> features (batch, time, channels).

    Args:
        config: From `checked`. `inference` "auto" chooses an engine for processors.
        threads: Number of threads; by default, one per core.

    Raises:
        ConvRNNError: The weights cannot be read, or the engine or the precision is not available.
    """
    return compile_network(
        weights_file(config.weights),
        outputs="features",
        precision=config.precision,
        engine=config.inference,
        threads=threads,
        n_timesteps=config.timesteps if config.network == "bl" else None,
    )


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
        echo(f"{describe_weights(path)}, {len(loaded.loaded)} arrays; {readout}")
    if config.trainable == "readout":
        for layer in network.layers:
            layer.trainable = layer.name == names.READOUT
    return network
