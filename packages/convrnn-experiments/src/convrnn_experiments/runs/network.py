"""Build the network of a configuration and load its weights."""

from collections.abc import Callable
from pathlib import Path

import convrnn_model
from convrnn_data import CATEGORIES
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.config import Config, EngineName, Precision, weights_file
from convrnn_experiments.runs.environment import Inference
from convrnn_experiments.runtime.processes import strategy
from convrnn_model import inspect_weights, load_weights, names
from convrnn_model.backend import keras
from convrnn_model.inference import Predictor, compile_network
from convrnn_model.inference.choice import choose
from convrnn_model.inference.operations import Group
from convrnn_model.inference.processor import processor


def build_network(config: Config, classes: int = len(CATEGORIES)) -> keras.Model:
    """Build the network of a configuration with initial weights."""
    shape = (config.image_size, config.image_size, 3)
    build = getattr(convrnn_model, f"{config.network}_net")
    if config.variant.recurrent:
        steps, cumulative = config.timesteps, config.cumulative_readout
        return build(shape, classes, steps, cumulative, width=config.width)
    return build(shape, classes, width=config.width)


def describe_weights(path: Path) -> str:
    """Describe a weights file: network and published set; a line without a full stop."""
    info = inspect_weights(path)
    return f"weights: {path}: {info.variant}, {info.dataset or 'no published set'}"


def choose_inference(
    precision: Precision, inference: EngineName, *, gpu: bool = False, top_down: bool = False
) -> Inference:
    """Choose how a network is computed that is not trained; reads no weights.

    Args:
        precision: Value of `--precision`.
        inference: Value of `--inference`.
        gpu: Whether Keras computes on a GPU.
        top_down: Whether the network has top-down connections.

    Raises:
        ConvRNNError: The engine or the precision is not available on this machine.
    """
    kind = processor()
    try:
        wanted = None if inference == "auto" else inference
        choice = choose(wanted, precision, kind, gpu=gpu, top_down=top_down)
    except convrnn_model.ConvRNNError as error:
        raise ConvRNNError(
            f"cannot compute with --inference {inference} --precision {precision}: {error}"
        ) from error
    return Inference(engine=choice.engine, precision=precision, processor=kind)


def feature_predictor(config: Config, threads: int | None = None, *, gpu: bool = False) -> Predictor:
    """Compile the frozen network of a configuration: images (batch, H, W, 3) -> features (batch, time, channels).

    Args:
        config: From `checked`.
        threads: Number of threads; by default, one per core.
        gpu: Whether Keras computes on a GPU.

    Raises:
        ConvRNNError: The weights cannot be read, or the engine or the precision is not available.
    """
    return compile_weights(
        weights_file(config.weights),
        "features",
        n_timesteps=config.timesteps if config.variant.recurrent else None,
        precision=config.precision,
        inference=config.inference,
        threads=threads,
        gpu=gpu,
    )


def compile_weights(
    path: Path,
    outputs: Group,
    *,
    n_timesteps: int | None,
    precision: Precision,
    inference: EngineName,
    threads: int | None = None,
    gpu: bool = False,
) -> Predictor:
    """Compile the network of a weights file.

    Args:
        path: The weights file.
        outputs: Group of outputs.
        n_timesteps: Time steps; None for feedforward networks.
        precision: Precision of the inference engine.
        inference: Engine that computes the network; "auto" chooses Keras if it computes on a GPU.
        threads: Number of threads; by default, one per core.
        gpu: Whether Keras computes on a GPU.

    Raises:
        ConvRNNError: The weights cannot be read, or the engine or the precision is not available.
    """
    # For a weights file, the choice of `compile_network` does not consider GPUs.
    engine = "keras" if gpu and inference == "auto" else inference
    return compile_network(
        path, outputs=outputs, precision=precision, engine=engine, threads=threads, n_timesteps=n_timesteps
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
