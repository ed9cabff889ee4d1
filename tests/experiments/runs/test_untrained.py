"""Settings of the evaluation of a weights file: classes, width, time steps, and the folder of its results."""

import json

import pytest

from convrnn_data.base.console import silent
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.folder import Run, write_json
from convrnn_experiments.runs.untrained import (
    NOT_TRAINED,
    UntrainedConfig,
    UntrainedOptions,
    untrained_config,
)
from convrnn_model import b_d_net, bl_net, inspect_weights, save_weights

STEPS = 3


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A function that writes a weights file of a narrow BL and returns its path."""
    folder = tmp_path_factory.mktemp("weights")

    def write(classes: int, width: float = 0.02) -> str:
        path = folder / f"{classes}-{width}.h5"
        if not path.exists():
            save_weights(bl_net((64, 64, 3), classes, STEPS, width=width), path)
        return str(path)

    return write


@pytest.mark.parametrize(("classes", "source"), [(1000, "imagenet"), (565, "ecoset")])
def test_other_classes_are_mapped(weights, classes, source):
    path = weights(classes)
    config = untrained_config(path, UntrainedOptions(rule="max", image_size=96))
    assert config == UntrainedConfig(
        weights=path,
        weights_sha256=inspect_weights(path).sha256,
        network="bl",
        width=config.width,
        classes=classes,
        source=source,
        rule="max",
        timesteps=STEPS,
        stimulus_size=224,
        image_size=96,
    )
    assert config.training == NOT_TRAINED
    assert config.trained_on == source


def test_16_classes_need_no_mapping(weights):
    config = untrained_config(weights(16), UntrainedOptions(timesteps=2))
    assert (config.source, config.rule, config.timesteps) == (None, None, 2)
    assert config.trained_on == "not known"


@pytest.mark.parametrize("width", [0.02, 0.03, 0.0625])
def test_width_gives_the_filters_of_the_file(weights, width):
    config = untrained_config(weights(16, width), UntrainedOptions())
    save = bl_net((64, 64, 3), 16, STEPS, width=config.width)
    assert [layer.shape for layer in save.weights] == [
        layer.shape for layer in bl_net((64, 64, 3), 16, STEPS, width=width).weights
    ]


def test_feedforward_networks_have_one_time_step(tmp_path):
    path = tmp_path / "b_d.h5"
    save_weights(b_d_net((64, 64, 3), 16, width=0.03), path)
    config = untrained_config(str(path), UntrainedOptions())
    assert (config.network, config.timesteps, config.width) == ("b_d", 1, 0.03)


def test_images_are_shown_as_in_a_run(weights):
    config = untrained_config(weights(1000), UntrainedOptions(image_size=64, stimulus_size=96))
    shown = config.as_run()
    assert (shown.perturb, shown.stimulus_size, shown.image_size, shown.exits) == (Regime.COLOR, 96, 64, STEPS)


def test_other_numbers_of_classes_are_refused(weights):
    with pytest.raises(
        ConvRNNError,
        match=r"must have 16 classes, ImageNet's 1000 or ecoset's 565, got 10 classes\. Train a readout",
    ):
        untrained_config(weights(10), UntrainedOptions())


def test_more_time_steps_than_the_file_has_are_refused(weights):
    with pytest.raises(ConvRNNError, match="--timesteps must be at most 3, those of the file, got 4"):
        untrained_config(weights(16), UntrainedOptions(timesteps=4))


def test_a_failed_download_suggests_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVRNN_CACHE", str(tmp_path))
    monkeypatch.setenv("CONVRNN_MIRROR", "http://127.0.0.1:9")  # no server listens
    with pytest.raises(ConvRNNError, match="give the path of a weights file in place of bl_imagenet"):
        untrained_config("bl_imagenet", UntrainedOptions(), silent)


def test_the_folder_of_results_is_no_training_run(weights, tmp_path):
    config = untrained_config(weights(565), UntrainedOptions())
    run = Run(tmp_path / "results")
    write_json(run.path / "config.json", config.to_json())
    assert run.settings() == config
    run.require_finished()
    with pytest.raises(ConvRNNError, match="must be a training run, got the results of the weights"):
        run.config()


def test_damaged_settings_are_named(weights, tmp_path):
    values = untrained_config(weights(565), UntrainedOptions()).to_json() | {"timesteps": 0}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ConvRNNError, match=r"config\.json: timesteps.* run `convrnn evaluate` again"):
        Run(tmp_path).settings()
