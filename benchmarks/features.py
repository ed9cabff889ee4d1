"""Throughput of feature extraction, and overhead relative to the forward passes of the network.

The network alone predicts from arrays in memory, in the same batches. The overhead of extraction is reading, decoding,
perturbing and writing. A second network with half the time steps shows whether fewer steps cost less.

    python benchmarks/features.py --width 0.25
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from common import drawn_images_parser, drawn_set, in_turn, peak_memory_mib, per_second, ratio, run_benchmark
from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.features import extractor as extractor_module
from convrnn_experiments.features import store
from convrnn_experiments.runs import network as run_network
from convrnn_experiments.runs.config import Config


def main() -> None:
    parser = drawn_images_parser(__doc__, "features.json", images=4)
    parser.add_argument("--rounds", type=int, default=5)
    run_benchmark(parser.parse_args(), measure)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    data = drawn_set(folder, options.images_per_category)
    size = options.image_size
    config = Config(
        data=str(data.path),
        perturb=Regime.COLOR,
        width=options.width,
        weights="none",
        views=1,
        image_size=size,
    )
    functions: dict[str, Callable[[], object]] = {}
    for steps in (config.timesteps, config.timesteps // 2):
        functions |= pair(config.replace(timesteps=steps), data, folder)
    count = len(data.table("train"))
    seconds = in_turn(functions, options.rounds)
    whole, alone, half, half_alone = seconds.values()
    return {
        "images": count,
        "width": options.width,
        "image_size": size,
        "images_per_second": per_second(count, seconds),
        "features_over_network_alone": ratio(whole, alone),
        "features_over_network_alone_half_the_steps": ratio(half, half_alone),
        "all_steps_over_half_the_steps": ratio(whole, half),
        "peak_memory_mib": peak_memory_mib(),
    }


def pair(config: Config, data: PreparedSet, folder: Path) -> dict[str, Callable[[], object]]:
    """Extract features of the training split, again in each call, and run the pooled network on arrays in memory."""
    network = run_network.build_network(config)
    extractor = extractor_module.Extractor(network, config, data)
    model, _ = extractor_module.pooled_model(network, config)
    shape = (extractor_module.BATCH, config.stimulus_size, config.stimulus_size, 3)
    batch = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    count = len(data.table("train"))
    starts = range(0, count, extractor_module.BATCH)

    def computed() -> None:
        kept = Path(tempfile.mkdtemp(dir=folder))
        for part in store.plan(data, config, kept):
            if part.split == "train":
                extractor.write(part)

    def alone() -> None:
        for start in starts:
            model.predict_on_batch(batch[: count - start])

    return {
        f"features, {config.timesteps} steps": computed,
        f"network alone, {config.timesteps} steps": alone,
    }


if __name__ == "__main__":
    main()
