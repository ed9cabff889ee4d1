"""Evaluation of a weights file without training: its classes are mapped to the 16 categories."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from convrnn_data import CATEGORIES
from convrnn_data.shards.workspace import contents
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.predict import BATCH, TrainedNetwork
from convrnn_experiments.runs.config import EngineName, Precision, weights_file
from convrnn_experiments.runs.folder import Run, write_json
from convrnn_experiments.runs.network import build_network, choose_inference, compile_weights
from convrnn_experiments.runs.untrained import Rule, UntrainedConfig
from convrnn_experiments.runtime.devices import uses_gpu
from convrnn_model import map_decisions


def results_folder(path: Path, config: UntrainedConfig) -> Run:
    """Create the folder of the results of a weights file, or open one with the same settings.

    Raises:
        ConvRNNError: The folder has other files, or results of a run or of other settings.
    """
    run = Run(path)
    if (path / "config.json").is_file():
        before = run.settings()
        if before != config:
            kind = (
                "a training run" if not isinstance(before, UntrainedConfig) else _differences(before, config)
            )
            raise ConvRNNError(
                f"cannot write results to {path}: the folder must be new, or have results of the same settings, got "
                f"{kind}. Choose another folder (--out), or delete this one"
            )
    elif path.exists() and (not path.is_dir() or contents(path)):
        raise ConvRNNError(
            f"cannot write results to {path}: it must be an empty folder or have results of these weights, got "
            f"{'a folder with other files' if path.is_dir() else 'a file'}. Choose another folder (--out)"
        )
    else:
        write_json(path / "config.json", config.to_json())
    return run


def _differences(before: UntrainedConfig, now: UntrainedConfig) -> str:
    old, new = before.to_json(), now.to_json()
    return "; ".join(f"{key} {old[key]!r} instead of {new[key]!r}" for key in new if old[key] != new[key])


def untrained_network(
    run: Run, config: UntrainedConfig, *, precision: Precision = "float32", inference: EngineName = "auto"
) -> TrainedNetwork:
    """Compile the network of a weights file.

    Args:
        run: Folder of the results.
        config: Settings.
        precision: Precision of the inference engine.
        inference: Engine that computes the network.

    Raises:
        ConvRNNError: The weights cannot be read, or the engine or the precision is not available.
    """
    choose_inference(precision, inference, gpu=uses_gpu())
    shown = config.as_run()
    predictor = compile_weights(
        weights_file(config.weights),
        "softmax",
        n_timesteps=config.timesteps if shown.variant.recurrent else None,
        precision=precision,
        inference=inference,
        gpu=uses_gpu(),
    )
    network = TrainedNetwork(
        run,
        shown,
        build_network(shown, config.classes),  # counts parameters and multiply-adds; its weights are not used
        predictor,
        predictor.plan((config.image_size, config.image_size), BATCH),
    )
    if config.source is None or config.rule is None:
        return network
    return replace(network, categories=partial(category_shares, source=config.source, rule=config.rule))


def category_shares(softmax: np.ndarray, source: str, rule: Rule) -> np.ndarray:
    """Return the scores of the 16 categories, divided by their sum; equal shares if all are 0.

    Args:
        softmax: (..., classes).
        source: Data set of the classes.
        rule: Rule of `map_decisions`.

    Returns:
        (..., 16) float64.
    """
    scores = map_decisions(softmax, source, rule=rule)
    total = scores.sum(axis=-1, keepdims=True)
    equal = np.full_like(scores, 1 / len(CATEGORIES))
    return np.divide(scores, total, out=equal, where=total > 0)
