"""Throughput of feature extraction, and overhead relative to the inference engine alone.

The engine alone computes arrays in memory, in the same batches. The overhead of extraction is reading, decoding,
perturbing at stimulus size, resizing and writing. Give photographs in ImageNet's layout (train/<wnid>/*.JPEG);
otherwise images are drawn, which are easier to decode.

    python benchmarks/features.py --width 1 --perturb noise --images /path/to/imagenet
    python benchmarks/features.py --width 1 --precision bfloat16
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from common import (
    drawn_images_parser,
    drawn_set,
    in_turn,
    inference_options,
    peak_memory_mib,
    per_second,
    ratio,
    run_benchmark,
)
from convrnn_data import PreparedSet, prepare
from convrnn_experiments.conditions import Regime
from convrnn_experiments.features import store
from convrnn_experiments.features.extractor import BATCH, Extractor, use_one_thread_per_operation
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.network import build_network, feature_predictor
from convrnn_model import save_weights


def main() -> None:
    parser = drawn_images_parser(__doc__, "features.json", images=4)
    inference_options(parser)
    parser.add_argument("--images", type=Path, help="photographs; drawn by default")
    parser.add_argument("--perturb", choices=[str(regime) for regime in Regime], default="noise")
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--feature-dtype", choices=["float32", "float16"], default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    run_benchmark(parser.parse_args(), measure)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    use_one_thread_per_operation()
    data = _prepared(options, folder)
    config = Config(
        data=str(data.path),
        perturb=Regime(options.perturb),
        width=options.width,
        weights=str(folder / "start.h5"),
        views=1,
        image_size=options.image_size,
        timesteps=options.timesteps,
        feature_dtype=options.feature_dtype,
        precision=options.precision,
        inference=options.inference,
    )
    save_weights(build_network(config), folder / "start.h5")
    config = checked(config, data)
    predictor = feature_predictor(config)
    extractor = Extractor(predictor, config, data)
    count = len(data.table("train"))
    shape = (count, config.image_size, config.image_size, 3)
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)

    def features() -> None:
        kept = Path(tempfile.mkdtemp(dir=folder))
        for part in store.plan(data, config, kept):
            if part.split == "train":
                extractor.write(part)

    def engine_alone() -> None:
        for start in range(0, count, BATCH):
            predictor.predict(images[start : start + BATCH], BATCH)

    seconds = in_turn({"features": features, "engine alone": engine_alone}, options.rounds)
    return {
        "images": f"{count:,}, {'given' if options.images else 'drawn'}",
        "width": options.width,
        "time_steps": options.timesteps,
        "image_size": options.image_size,
        "stimulus_size": config.stimulus_size,
        "perturb": options.perturb,
        "feature_dtype": options.feature_dtype,
        "plan": str(extractor.plan),
        "images_per_second": per_second(count, seconds),
        "features_over_engine_alone": ratio(seconds["features"], seconds["engine alone"]),
        "peak_memory_mib": peak_memory_mib(),
    }


def _prepared(options: argparse.Namespace, folder: Path) -> PreparedSet:
    if options.images is None:
        return drawn_set(folder, options.images_per_category)
    prepare(options.images, folder / "set", images="all", val=0.25)
    return PreparedSet(folder / "set")


if __name__ == "__main__":
    main()
