"""Names of cache folders: hashes of everything that features depend on."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import pytest

from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features import fingerprint
from convrnn_experiments.features.fingerprint import (
    DEPENDS_ON,
    Dependencies,
    cache_folder,
    require_same_dependencies,
)
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.environment import Environment, Inference
from convrnn_experiments.runtime import devices

TILES = Inference(engine="tiles", precision="float32", processor="avx512")
CONFIG = Config(data="set", perturb=Regime.NOISE, data_plan="x", weights_sha256="a")


def test_the_folder_is_named_by_the_hash_of_its_file(tmp_path: Path) -> None:
    folder = cache_folder(tmp_path, CONFIG, TILES, "a device")
    depends = json.loads((folder / DEPENDS_ON).read_text())
    text = json.dumps(depends, sort_keys=True)
    assert folder == tmp_path / hashlib.sha256(text.encode()).hexdigest()[:16]
    assert (depends["perturb"], depends["device"], depends["data_plan"]) == ("noise", "a device", "x")
    assert depends["levels"] == [0.0, 0.01, 0.02, 0.03, 0.04]
    assert depends["versions"]["keras"] == version("keras")
    assert cache_folder(tmp_path, CONFIG, TILES, "a device") == folder


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"perturb": Regime.BLUR},
        {"levels": (0.0, 1.0)},
        {"resize": 300},
        {"stimulus_size": 200},
        {"image_size": 112},
        {"width": 0.5},
        {"timesteps": 4},
        {"network": "b"},
        {"feature_dtype": "float16"},
        {"data_plan": "y"},
        {"weights_sha256": "b"},
    ],
    ids=str,
)
def test_options_that_change_features_change_the_folder(change: dict[str, object]) -> None:
    other = Dependencies.of(CONFIG.replace(**change), TILES, "a device")
    assert other.digest != Dependencies.of(CONFIG, TILES, "a device").digest


@pytest.mark.parametrize(
    "change",
    [
        {"views": 7},
        {"data": "elsewhere"},
        {"weights": "elsewhere.h5"},
        {"epochs": 3, "batch_size": 7, "learning_rate": 0.1},
        {"levels": (0.0, 0.01, 0.02, 0.03, 0.04)},
        {"mixed_precision": True},
        {"inference": "tiles"},
    ],
    ids=str,
)
def test_other_options_do_not_change_the_folder(change: dict[str, object]) -> None:
    other = Dependencies.of(CONFIG.replace(**change), TILES, "a device")
    assert other.digest == Dependencies.of(CONFIG, TILES, "a device").digest


@pytest.mark.parametrize(
    "change", [{"engine": "keras"}, {"precision": "bfloat16"}, {"processor": "avx2"}], ids=str
)
def test_the_computation_of_the_network_changes_the_folder(change: dict[str, str]) -> None:
    other = Dependencies.of(CONFIG, TILES.model_copy(update=change), "a device")
    assert other.digest != Dependencies.of(CONFIG, TILES, "a device").digest


def test_versions_of_the_libraries_that_compute_change_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Dependencies.of(CONFIG, TILES, "a device")
    assert before.versions["llvmlite"] == version("llvmlite")
    monkeypatch.setattr(fingerprint, "version", lambda name: "9.9")
    assert before.digest != Dependencies.of(CONFIG, TILES, "a device").digest


def test_a_worker_of_the_same_kind_is_accepted(tmp_path: Path) -> None:
    require_same_dependencies(cache_folder(tmp_path, CONFIG, TILES), CONFIG, TILES)


def test_a_worker_that_differs_is_refused(tmp_path: Path) -> None:
    folder = cache_folder(tmp_path, CONFIG, TILES)
    path = folder / DEPENDS_ON
    depends = json.loads(path.read_text())
    depends["device"] = "another device"
    depends["versions"]["keras"] = "2.0"
    path.write_text(json.dumps(depends))
    with pytest.raises(ConvRNNError) as caught:
        require_same_dependencies(folder, CONFIG, TILES)
    assert str(caught.value) == (
        f"cannot compute features of {folder} on this worker: device must be another device, got "
        f"{devices.computing_device()}; keras must be 2.0, got {version('keras')}. Give every worker the same kind of "
        "processor, versions and settings"
    )


def test_a_folder_that_does_not_exist_on_a_worker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvRNNError, match="on a disk that every worker sees"):
        require_same_dependencies(tmp_path / "elsewhere", CONFIG, TILES)


def test_features_depend_on_device_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIG
    folders = {cache_folder(tmp_path, config, TILES)}
    assert Dependencies.of(config, TILES).device == devices.processor()
    folders.add(cache_folder(tmp_path, config, TILES, "NVIDIA H100"))
    for name, value in {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "NVIDIA_TF32_OVERRIDE": "1"}.items():
        monkeypatch.setenv(name, value)
        folders.add(cache_folder(tmp_path, config, TILES))
        assert Environment.current().variables[name] == value
    assert len(folders) == 4
    assert Environment.current().device == devices.processor()
    assert Environment.current().processor
