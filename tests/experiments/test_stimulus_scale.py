"""One stimulus scale: a level reaches the network alike in training, validation, cached features and stimulus files.

Flat images show the noise's SD, and a vertical edge the width of the blur, at the network's input. The images pass
through all of the code that each of the four uses: files, shards, crops, perturbation, resizing.
"""

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from convrnn_data import PreparedSet, prepare
from convrnn_data.sample.sample import SYNSETS
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.evaluation import predict
from convrnn_experiments.evaluation import trials as trial_sets
from convrnn_experiments.features.extractor import Extractor
from convrnn_experiments.features.store import plan
from convrnn_experiments.images.batches import images_of_split
from convrnn_experiments.images.resizing import resize_matrix
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.network import build_network
from convrnn_experiments.stimuli.make import make_stimuli
from convrnn_experiments.training.loop import whole_network_task
from convrnn_model.inference import compile_network

STIMULUS = 224
LEVELS = {
    Regime.NOISE: CONDITIONS[Regime.NOISE].levels + CONDITIONS[Regime.NOISE].test_levels[2:],
    Regime.BLUR: (0.0, 0.3, 1.0, 2.0, *CONDITIONS[Regime.BLUR].test_levels[1:]),
}
IN_FILES = {
    # Rounding to 8 bits alone adds 1 % to an SD of 0.01, and a JPEG's coefficients are rounded too.
    Regime.NOISE: tuple(level for level in LEVELS[Regime.NOISE] if level != 0.01),
    Regime.BLUR: LEVELS[Regime.BLUR],
}


def jpeg(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=100, subsampling=0)
    return buffer.getvalue()


def make_image(regime: Regime, shift: int) -> np.ndarray:
    """Return a flat image for noise, an edge near the middle for blur; 256 px, so that a 224 px crop is not resized."""
    values = np.full((256, 256, 3), 128, np.uint8)
    if regime == Regime.BLUR:
        values[:, : 125 + shift], values[:, 125 + shift :] = 20, 235
    return values


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[Regime, PreparedSet]:
    """Prepared sets of flat images and of edges, half of the images for validation.

    Edges have all positions relative to the pixels of the resized image: 224 / 128 is 7 / 4.
    """
    found = {}
    for regime in LEVELS:
        folder = tmp_path_factory.mktemp(str(regime))
        for synsets in SYNSETS.values():
            target = folder / "imagenet/train" / synsets[0]
            target.mkdir(parents=True)
            for number in range(14 if regime == Regime.BLUR else 2):
                encoded = jpeg(make_image(regime, shift=number % 7))
                (target / f"{synsets[0]}_{number}.JPEG").write_bytes(encoded)
        prepare(folder / "imagenet", folder / "set", images="all", val=0.5, workers=1)
        found[regime] = PreparedSet(folder / "set")
    return found


@pytest.fixture(scope="module")
def files(sets: dict[Regime, PreparedSet], tmp_path_factory: pytest.TempPathFactory) -> dict[Regime, Path]:
    """Stimuli as `convrnn stimuli` writes them, of each level at least 16 images of noise and 70 of blur."""
    found = {}
    for regime, data in sets.items():
        found[regime] = tmp_path_factory.mktemp("stimuli") / "new"
        levels = {str(regime): tuple(f"{level:g}" for level in IN_FILES[regime])}
        count = 84 if regime == Regime.BLUR else 16
        make_stimuli(data.path, found[regime], levels=levels, per_block=count, size=STIMULUS)
    return found


def config_of(data: PreparedSet, regime: Regime, image_size: int, level: float) -> Config:
    levels = (level,)
    return Config(
        data=str(data.path),
        perturb=regime,
        network="b",
        width=0.02,
        image_size=image_size,
        levels=levels,
        batch_size=16,
    )


@cache
def network_of(image_size: int) -> keras.Model:
    data = Config(data="", perturb=Regime.COLOR, network="b", width=0.02, image_size=image_size)
    return build_network(data)


def before_the_network(model: keras.Model) -> keras.Model:
    """Return the part of a model that precedes the network."""
    return keras.Model(model.inputs[0], model.get_layer("perturbation").output)


def in_training(data: PreparedSet, config: Config) -> Iterator[np.ndarray]:
    task = whole_network_task(
        network_of(config.image_size), config, images_of_split(data, "train"), images_of_split(data, "val")
    )
    perturbed = before_the_network(task.model)
    for images, *_ in task.training(0):
        yield keras.ops.convert_to_numpy(perturbed(images))


def in_validation(data: PreparedSet, config: Config) -> Iterator[np.ndarray]:
    task = whole_network_task(
        network_of(config.image_size), config, images_of_split(data, "train"), images_of_split(data, "val")
    )
    perturbed = before_the_network(task.model)
    for images, *_ in task.validation:
        yield keras.ops.convert_to_numpy(perturbed(images))


def in_features(data: PreparedSet, config: Config, folder: Path) -> Iterator[np.ndarray]:
    network = network_of(config.image_size)
    extractor = Extractor(compile_network(network, outputs="features"), config, data)
    inputs: list[np.ndarray] = []
    compute = extractor._compute
    extractor._compute = lambda images: inputs.append(images) or compute(images)
    for part in plan(data, config, folder):
        extractor.write(part)
    del extractor._compute  # a reference cycle, which would keep the engine's buffers
    yield from inputs


def in_stimuli(folder: Path, config: Config) -> Iterator[np.ndarray]:
    """Yield the batches of one level that `evaluation.predict` passes to the network."""
    (level,) = config.levels or ()
    trials = trial_sets.find_trials(folder, config.perturb, config)
    perturbed, _ = predict._perturbation(predict._condition(trials, config), config)
    chosen = np.flatnonzero([own == f"{level:g}" for own in trials.levels or []])
    assert len(chosen)
    for images, *_ in predict.batches(trials.images, trials.frame, 16, rows=chosen):
        shown, _ = perturbed(images)
        yield keras.ops.convert_to_numpy(shown)


def noise_sd(images: np.ndarray) -> float:
    """Return the SD in units of [0, 1]; the network's range is twice as wide."""
    return float(images.std(dtype=np.float64)) / 2


def edge_width(images: np.ndarray) -> float:
    """Return the SD in px of the edge's derivative, from the mean variance over images."""
    found = []
    for image in images:
        line = np.abs(np.diff(image[..., 0].mean(axis=0, dtype=np.float64)))
        at = np.arange(len(line)) - np.argmax(gaussian_filter1d(line, 3.0))
        near = line * (np.abs(at) <= len(line) * 0.15)
        weights = near / near.sum()
        middle = weights @ at
        found.append(weights @ (at - middle) ** 2)
    return float(np.sqrt(np.mean(found)))


MEASURES = {Regime.NOISE: (noise_sd, 2e-4), Regime.BLUR: (edge_width, 0.01)}
"""Measure of each regime, and an absolute tolerance below the resolution of 8 bits."""


@pytest.mark.parametrize(
    ("regime", "image_size", "levels"),
    [
        (Regime.NOISE, 128, (0.0, 0.04)),
        (Regime.BLUR, 224, (1.0, 9.0)),
        *(
            pytest.param(regime, image_size, LEVELS[regime], marks=pytest.mark.slow)
            for regime in LEVELS
            for image_size in (128, 224)
        ),
    ],
)
def test_every_level_reaches_the_network_alike(
    regime: Regime,
    image_size: int,
    levels: tuple[float, ...],
    sets: dict[Regime, PreparedSet],
    files: dict[Regime, Path],
    tmp_path: Path,
) -> None:
    (measure, tolerance), data = MEASURES[regime], sets[regime]
    for level in levels:
        config = config_of(data, regime, image_size, level)
        inputs = {
            "training": in_training(data, config),
            "validation": in_validation(data, config),
            "features": in_features(data, config, tmp_path / f"{level:g}"),
        }
        if level in IN_FILES[regime]:
            inputs["stimuli"] = in_stimuli(files[regime], config)
        found = {name: measure(np.concatenate(list(batches))) for name, batches in inputs.items()}
        middle = np.mean(list(found.values()))
        assert found == pytest.approx(dict.fromkeys(found, middle), rel=0.02, abs=tolerance), level


def test_noise_has_the_sd_of_the_resize_filter(sets: dict[Regime, PreparedSet]) -> None:
    """Truncation leaves 0.8796 of the SD; independent pixels are averaged by the resize matrix."""
    weights = (resize_matrix(STIMULUS, 128) ** 2).sum(axis=1).mean()
    config = config_of(sets[Regime.NOISE], Regime.NOISE, 128, 0.04)
    found = noise_sd(np.concatenate(list(in_training(sets[Regime.NOISE], config))))
    assert found == pytest.approx(0.8796 * 0.04 * weights, rel=0.01)
