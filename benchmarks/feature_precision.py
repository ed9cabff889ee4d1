"""Effect of caching features as float16 on the trained readout.

A small network is trained as a whole on drawn images. A new readout is then trained twice on its features with the same
options, on float32 and on float16 features. Both readouts answer the validation images on float32 features, as an
evaluation does. Differences are between the softmax values of the two, over images, time steps and classes.

    python benchmarks/feature_precision.py --width 0.25
"""

import argparse
import os
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from common import drawn_images_parser, drawn_set, run_benchmark
from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.features.extractor import use_one_thread_per_operation
from convrnn_experiments.features.store import FeatureStore, extract_features
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.network import build_network
from convrnn_experiments.training import launch
from convrnn_model import load_weights, names, save_weights

DTYPES = ("float32", "float16")


def main() -> None:
    parser = drawn_images_parser(__doc__, "feature_precision.json", images=16)
    parser.add_argument("--backbone-epochs", type=int, default=30, help="epochs of the whole network")
    parser.add_argument("--epochs", type=int, default=100, help="epochs of each readout")
    parser.add_argument("--perturb", choices=[str(regime) for regime in Regime], default="noise")
    run_benchmark(parser.parse_args(), measure)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    use_one_thread_per_operation()
    data = drawn_set(folder, options.images_per_category)
    whole = Config(
        data=str(data.path),
        perturb=Regime.COLOR,
        width=options.width,
        image_size=options.image_size,
        batch_size=16,
        trainable="all",
        weights="none",
        epochs=options.backbone_epochs,
        learning_rate=0.01,
        epsilon=1e-7,
    )
    launch.train(whole, folder / "backbone", echo=print)
    _with_new_readout(whole, folder / "backbone/weights.h5", folder / "start.h5")
    readout = whole.replace(
        perturb=Regime(options.perturb),
        trainable="readout",
        weights=str(folder / "start.h5"),
        epochs=options.epochs,
    )
    for dtype in DTYPES:
        launch.train(readout.replace(feature_dtype=dtype), folder / dtype, features=folder / "features")
    stored = {dtype: _validation(readout.replace(feature_dtype=dtype), data, folder) for dtype in DTYPES}
    labels = data.table("val").labels
    compared = partial(_differences, build_network(readout), stored["float32"], labels, folder)
    return {
        "images": len(labels),
        "width": options.width,
        "image_size": options.image_size,
        "perturb": options.perturb,
        "epochs": options.epochs,
        "features": _rounding(stored),
        "last_epoch": compared("weights_last.h5"),
        "selected_epoch": compared("weights.h5"),
    }


def _with_new_readout(config: Config, trained: Path, target: Path) -> None:
    """Save trained weights with the initial readout of another seed."""
    keras.utils.set_random_seed(1)
    network = build_network(config)
    initial = network.get_layer(names.READOUT).get_weights()
    load_weights(network, trained)
    network.get_layer(names.READOUT).set_weights(initial)
    save_weights(network, target)


def _validation(config: Config, data: PreparedSet, folder: Path) -> np.ndarray:
    """Return the cached features of the validation images, (images, time, channels)."""
    cached = extract_features(checked(config, data), data, folder / "features")
    assert cached.computed == 0
    count = len(data.table("val"))
    rows = np.arange(count)
    return FeatureStore(cached.of("val"), count).read(rows, np.zeros_like(rows))


def _rounding(features: dict[str, np.ndarray]) -> dict[str, float]:
    """Describe the rounding of features to float16."""
    exact, rounded = features["float32"], features["float16"]
    nonzero = exact != 0
    relative = np.abs(rounded - exact)[nonzero] / np.abs(exact)[nonzero]
    return {
        "largest": _rounded(exact.max()),
        "median_relative_rounding": _rounded(np.median(relative)),
        "share_below_the_smallest_normal_float16": _rounded(
            np.mean(np.abs(exact[nonzero]) < np.finfo(np.float16).tiny)
        ),
    }


def _differences(
    network: keras.Model, features: np.ndarray, labels: np.ndarray, folder: Path, weights: str
) -> dict[str, object]:
    """Compare the answers of the readouts trained on features of each type."""
    softmax = {dtype: _answer(network, features, folder / dtype / weights) for dtype in DTYPES}
    difference = np.abs(softmax["float32"] - softmax["float16"])
    answers = {dtype: values.argmax(axis=-1) for dtype, values in softmax.items()}
    accuracy = {dtype: 100 * np.mean(values == labels[:, None]) for dtype, values in answers.items()}
    return {
        "largest_softmax_difference": _rounded(difference.max()),
        "median_softmax_difference": _rounded(np.median(difference)),
        "same_answers_percent": _rounded(100 * np.mean(answers["float32"] == answers["float16"])),
        "answers": answers["float32"].size,
        "accuracy_percent": {dtype: _rounded(value) for dtype, value in accuracy.items()},
    }


def _rounded(value: np.floating) -> float:
    return float(f"{value:.4g}")


def _answer(network: keras.Model, features: np.ndarray, weights: Path) -> np.ndarray:
    """Apply the readout of a weights file to features: softmax (images, time, classes)."""
    load_weights(network, weights)
    kernel, bias = network.get_layer(names.READOUT).get_weights()
    logits = features @ kernel + bias
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


if __name__ == "__main__":
    main()
