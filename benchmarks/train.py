"""Speed of readout training on cached features against running the frozen network in every epoch.

Both train the same readout to the same weights; the second is the method of the original scripts. A few epochs of each
alternate in one process, and the time of 100 epochs is extrapolated from the medians:

    cached    views x (one pass of the frozen network) + epochs x (one pass over cached features)
    frozen    epochs x (one pass of the frozen network and the readout)

If cached features cost nothing, the ratio is epochs / views: 25 for 100 epochs and 4 views.
"""

import argparse
import resource
import statistics
import time
from pathlib import Path

import numpy as np

from common import drawn_images_parser, drawn_set, run_benchmark
from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.features import store
from convrnn_experiments.images.batches import images_of_split
from convrnn_experiments.runs import network as run_network
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.training import loop
from convrnn_model import save_weights


def main() -> None:
    parser = drawn_images_parser(__doc__, "train.json", images=8, width=0.25)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3, help="measured epochs of each kind")
    run_benchmark(parser.parse_args(), measure)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Measure seconds per epoch of both methods, their ratio over a training, and memory after cached epochs."""
    data = drawn_set(folder, options.images_per_category)
    config = Config(
        data=str(data.path),
        perturb=Regime.NOISE,
        width=options.width,
        image_size=options.image_size,
        batch_size=16,
        trainable="all",
        weights="none",
        views=1,
    )
    save_weights(run_network.build_network(config), folder / "start.h5")
    config = checked(config.replace(trainable="readout", weights=str(folder / "start.h5"), views=1), data)
    network = run_network.prepare_network(config, lambda line: None)
    frozen = loop.whole_network_task(
        network, config, images_of_split(data, "train"), images_of_split(data, "val")
    )
    kept = loop.readout_task(network, config, data, store.extract_features(config, data, folder / "features"))
    for task in (frozen, kept):
        loop.compile_task(task, config)
        task.model.fit(loop.weighted(task.training(0), np.ones(16, np.float32)), verbose=0, shuffle=False)
    seconds: dict[str, list[float]] = {"frozen": [], "kept": [], "features": []}
    memory = []
    for repeat in range(options.repeats):
        for name, task in (("frozen", frozen), ("kept", kept)):
            began = time.perf_counter()
            loop.run_epoch(task, config, repeat + 1)
            seconds[name].append(time.perf_counter() - began)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        seconds["features"].append(_features_once(config, data, folder / f"again{repeat}"))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    through = options.epochs * median["frozen"]
    ours = options.views * median["features"] + options.epochs * median["kept"]
    return {
        "images": len(data.table("train")),
        "seconds_per_epoch_frozen_network": round(median["frozen"], 3),
        "seconds_per_view_of_features": round(median["features"], 3),
        "seconds_per_epoch_kept_features": round(median["kept"], 4),
        "hours_frozen_network": round(through / 3600, 4),
        "hours_kept_features": round(ours / 3600, 4),
        "times_less": round(through / ours, 2),
        "limit_epochs_over_views": options.epochs / options.views,
        "peak_memory_mib_by_repeat": [round(value) for value in memory],
    }


def _features_once(config: Config, data: PreparedSet, folder: Path) -> float:
    began = time.perf_counter()
    store.extract_features(config, data, folder)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
