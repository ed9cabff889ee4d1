"""Configuration of a run: options, `config.json`, and the check against the prepared set and the weights."""

import json
from pathlib import Path

import keras
import pytest
from pydantic import ValidationError

import convrnn_model
from convrnn_data import PreparedSet, open_set, prepare
from convrnn_data.sample.sample import draw_sample
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.config import (
    Config,
    LevelOptions,
    checked,
    default_resize,
    from_options,
    parse_numbers,
    require_split,
)
from convrnn_experiments.runs.network import build_network
from convrnn_model import save_weights
from convrnn_model.variants import VARIANTS

SMALL = {
    "width": 0.02,
    "timesteps": 2,
    "stimulus_size": 72,
    "image_size": 64,
    "resize": 73,
    "weights": "none",
    "trainable": "all",
}
PATH = Path("runs/color/config.json")


def config_of(data: PreparedSet, **changes: object) -> Config:
    return checked(Config(data=str(data.path), **{"perturb": Regime.COLOR} | SMALL | changes), data)


def test_defaults_are_those_of_the_published_readout_training() -> None:
    config = Config(data="data", perturb=Regime.NOISE)
    assert (config.weights, config.trainable, config.views) == ("bl_imagenet", "readout", 4)
    assert (config.stimulus_size, config.resize, config.image_size) == (224, 256, 128)
    assert (config.exits, config.condition.levels) == (8, (0.0, 0.01, 0.02, 0.03, 0.04))


def test_photographs_are_resized_to_eight_sevenths_of_the_stimulus() -> None:
    assert default_resize(224) == 256
    assert Config(data="data", perturb=Regime.COLOR, stimulus_size=70).resize == 80
    assert Config(data="data", perturb=Regime.COLOR, stimulus_size=70, resize=75).resize == 75


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.shared])
def test_every_network_of_the_table_can_be_configured(name: str) -> None:
    config = Config(data="data", perturb=Regime.COLOR, network=name.removesuffix("_net"))
    assert config.exits == (8 if name in ("bl_net", "bt_net", "blt_net") else 1)


def test_the_unfolded_network_cannot_be_configured() -> None:
    with pytest.raises(ValidationError, match="network"):
        Config(data="data", perturb=Regime.COLOR, network="b_u")


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": "vgg"},
        {"epochs": 0},
        {"epochs": 1.5},
        {"learning_rate": float("nan")},
        {"learning_rate": -0.1},
        {"seed": -1},
        {"width": 0.0},
        {"trainable": "some"},
        {"schedule": "linear"},
        {"clip_norm": float("inf")},
        {"sparkle": 1},
    ],
    ids=str,
)
def test_invalid_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config(data="data", perturb=Regime.COLOR, **wrong)


def test_a_replaced_value_is_validated() -> None:
    config = Config(data="data", perturb=Regime.COLOR)
    assert config.replace(seed=3).seed == 3
    with pytest.raises(ValidationError):
        config.replace(seed=-3)


def test_a_configuration_round_trips_through_json() -> None:
    config = Config(
        data="data", perturb=Regime.NOISE, levels=(0.0, 0.1), devices=("CPU:0",), clip_norm=1.0, seed=2**62
    )
    restored = Config.from_json(json.loads(json.dumps(config.to_json())), PATH)
    assert restored == config
    assert restored.condition.levels == (0.0, 0.1)


def test_a_configuration_without_a_stimulus_size_was_perturbed_at_image_size(tmp_path: Path) -> None:
    values = json.loads(
        json.dumps(Config(data="data", perturb=Regime.NOISE, image_size=128, resize=146).to_json())
    )
    del values["stimulus_size"]
    config = Config.from_json(values, tmp_path / "config.json")
    assert (config.stimulus_size, config.image_size, config.resize) == (128, 128, 146)


def test_a_file_of_an_older_version_has_its_values(tmp_path: Path) -> None:
    config = Config(data="data", perturb=Regime.NOISE)
    values = json.loads(json.dumps(config.to_json()))
    for name in ("feature_dtype", "precision", "inference"):
        del values[name]
    older = Config.from_json(values, tmp_path / "config.json")
    assert (older.feature_dtype, older.precision, older.inference) == ("float32", "float32", "keras")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"seed": None}, "entries seed are required, got none"),
        ({"sparkle": 1}, "sparkle is not a known entry"),
        ({"epochs": 0}, "epochs must be greater than or equal to 1, got 0"),
        ({"network": "vgg"}, "network must be 'bl', 'b', 'b_k', 'b_f', 'b_d', 'bt' or 'blt', got 'vgg'"),
        ({"perturb": "sepia"}, "perturb must be 'color', 'grayscale', 'noise' or 'blur', got 'sepia'"),
    ],
)
def test_a_file_with_invalid_entries_is_named(changes: dict[str, object], problem: str) -> None:
    values = Config(data="data", perturb=Regime.COLOR).to_json() | changes
    if changes == {"seed": None}:
        del values["seed"]
    with pytest.raises(ConvRNNError) as caught:
        Config.from_json(values, PATH)
    assert str(caught.value) == (
        f"cannot read {PATH}: {problem}. Use the version that wrote it, or start the run over with --force"
    )


def test_levels_of_a_regime_without_levels_are_refused_in_a_file() -> None:
    values = Config(data="data", perturb=Regime.COLOR).to_json() | {"levels": [0.1]}
    with pytest.raises(ConvRNNError, match=r"levels must be null or SDs that fit perturb, got \[0\.1\] for color"):
        Config.from_json(values, PATH)


def test_levels_on_the_command_line_are_those_of_the_regime() -> None:
    config = Config(data="data", perturb=Regime.NOISE)
    assert from_options(config, LevelOptions(noise_sd=(0.0, 0.3))).levels == (0.0, 0.3)
    assert from_options(config, LevelOptions()).levels is None
    with pytest.raises(ConvRNNError, match="--blur-sd needs --perturb blur, got --perturb noise"):
        from_options(config, LevelOptions(blur_sd=(1.0,)))


def test_a_feedforward_network_is_configured_with_one_time_step() -> None:
    config = Config(data="data", perturb=Regime.COLOR, network="b_k")
    assert from_options(config, LevelOptions()).timesteps == 1
    assert from_options(config.replace(network="bl"), LevelOptions()).timesteps == 8


def test_numbers_are_separated_by_commas() -> None:
    assert parse_numbers("0,0.02,4e-2") == (0.0, 0.02, 0.04)
    with pytest.raises(ValueError, match="must be numbers separated by commas, such as .*, got 'a,b'"):
        parse_numbers("a,b")


def test_the_check_records_hashes_of_data_and_weights(prepared: PreparedSet, tmp_path: Path) -> None:
    config = config_of(prepared)
    assert (config.data_plan, config.weights_sha256) == (prepared.plan_hash, "")
    keras.utils.set_random_seed(0)
    save_weights(build_network(config), tmp_path / "start.h5")
    info = convrnn_model.inspect_weights(tmp_path / "start.h5")
    assert config_of(prepared, weights=str(tmp_path / "start.h5")).weights_sha256 == info.sha256
    for other in ({"network": "b"}, {"width": 0.03}):
        with pytest.raises(ConvRNNError, match=r"got bl_net with filters 2-3-4-5-10-20-41\. Change --network"):
            config_of(prepared, weights=str(tmp_path / "start.h5"), **other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainable": "readout"}, "--trainable readout needs --weights"),
        ({"resize": 71}, "--resize must be at least --stimulus-size 72, got 71"),
        ({"image_size": 73}, "--image-size must be at most --stimulus-size 72, got 73"),
        ({"weights": "nowhere.h5"}, "nowhere.h5"),
    ],
)
def test_incompatible_options_are_refused(prepared: PreparedSet, changes: dict, message: str) -> None:
    with pytest.raises((ConvRNNError, convrnn_model.ConvRNNError), match=message):
        config_of(prepared, **changes)


def test_training_names_the_share_that_left_validation_empty(tmp_path):
    draw_sample(tmp_path / "sample", images_per_category=4, trials=1, observers=1, workers=1)
    prepare(tmp_path / "sample" / "imagenet", tmp_path / "set", images="all", workers=1)
    with pytest.raises(
        ConvRNNError, match=r"--val 0\.1 of the largest category's 4 images .*--val 0\.13 gives"
    ):
        require_split(open_set(tmp_path / "set"), "val")
    require_split(open_set(tmp_path / "set"), "train")
