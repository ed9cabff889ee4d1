"""Throughput of evaluation, and overhead relative to the inference engine alone.

The engine alone computes arrays in memory, in batches of the same size. The overhead of evaluation is reading,
decoding, resizing, scoring, interval estimation and writing.

    python benchmarks/evaluate.py --width 0.25
"""

import argparse
import os
from collections.abc import Callable
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
from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation import predict
from convrnn_experiments.evaluation import trials as trial_sets
from convrnn_experiments.runs import folder as run_folder
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.network import build_network
from convrnn_model import save_weights


def main() -> None:
    parser = drawn_images_parser(__doc__, "evaluate.json", images=8)
    inference_options(parser)
    parser.add_argument("--rounds", type=int, default=5)
    run_benchmark(parser.parse_args(), measure)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    run, trials = finished_run(options, folder)
    count = len(trials.paths)
    trained = predict.trained_network(run, precision=options.precision, inference=options.inference)
    functions = {"evaluate": lambda: predict.evaluate(trained, trials), "engine alone": alone(trained, count)}
    seconds = in_turn(functions, options.rounds)
    return {
        "images": count,
        "width": options.width,
        "image_size": options.image_size,
        "plan": str(trained.plan),
        "images_per_second": per_second(count, seconds),
        "evaluate_over_engine_alone": ratio(seconds["evaluate"], seconds["engine alone"]),
        "peak_memory_mib": peak_memory_mib(),
    }


def finished_run(options: argparse.Namespace, folder: Path) -> tuple[run_folder.Run, trial_sets.Trials]:
    """Make a run with random weights, and the training split of a drawn set to evaluate it on."""
    data = drawn_set(folder, options.images_per_category)
    size = options.image_size
    config = Config(
        data=str(data.path),
        perturb=Regime.COLOR,
        width=options.width,
        image_size=size,
        weights="none",
        trainable="all",
    )
    config = checked(config, data)
    run = run_folder.start(folder / "run", config, resume=False, force=False)
    save_weights(build_network(config), run.weights)
    return run, trial_sets.find_trials(data.path, config.perturb, config, split="train")


def alone(trained: predict.TrainedNetwork, count: int) -> Callable[[], None]:
    """Predict from images in memory with the network of the run."""
    side = trained.config.image_size
    images = np.random.default_rng(0).uniform(-1, 1, (count, side, side, 3)).astype(np.float32)

    def answer() -> None:
        for start in range(0, count, predict.BATCH):
            trained.predictor.predict(images[start : start + predict.BATCH], predict.BATCH)

    return answer


if __name__ == "__main__":
    main()
