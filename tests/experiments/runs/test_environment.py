"""Environment of a run or an evaluation: command, versions, settings and machine."""

import json
import os
import platform
import sys
from importlib.metadata import version

import pytest
from pydantic import ValidationError

from convrnn_experiments.runs import environment
from convrnn_experiments.runs.environment import REPORTED, Environment, Inference


def test_this_process_is_described(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/bin/convrnn", "train", "a set", "--perturb", "noise"])
    found = Environment.current(validation_images="16 from somewhere")
    assert found.command == "convrnn train 'a set' --perturb noise"
    assert found.versions == {name: version(name) for name in REPORTED} | {
        "python": platform.python_version()
    }
    assert (found.floatx, found.epsilon, found.image_data_format) == ("float32", 1e-7, "channels_last")
    assert found.processors == os.cpu_count()
    assert found.validation_images == "16 from somewhere"


def test_a_variable_that_changes_results_is_recorded(monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    assert Environment.current().variables["NVIDIA_TF32_OVERRIDE"] == "1"
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    assert "NVIDIA_TF32_OVERRIDE" not in Environment.current().variables


def test_the_computation_of_a_network_is_recorded():
    inference = Inference(engine="tiles", precision="float32", processor="avx512")
    found = Environment.current(inference=inference)
    assert found.to_json()["inference"] == inference.model_dump()
    assert found.versions["numba"] == version("numba")
    assert "inference" not in Environment.current().to_json()
    assert Environment.model_validate(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("engine", "packages"), [("tiles", {"numba", "llvmlite"}), ("openvino", {"openvino"}), ("keras", set())]
)
def test_an_engine_adds_the_versions_of_its_packages(engine, packages, monkeypatch):
    monkeypatch.setattr(environment, "version", lambda name: "9.9")
    inference = Inference(engine=engine, precision="float32", processor="avx512")
    assert inference.versions == dict.fromkeys(packages, "9.9")


def test_unknown_entries_are_left_out_of_the_file():
    assert Environment(command="convrnn train").to_json() == {"command": "convrnn train", "versions": {}}


def test_the_file_of_another_version_is_read():
    # An older file has fewer entries, a newer one may have more.
    assert Environment.model_validate({"command": "convrnn train"}).processor is None
    newer = {"command": "convrnn train", "weather": "fair"}
    assert Environment.model_validate(newer).to_json()["weather"] == "fair"
    current = Environment.current()
    assert Environment.model_validate(json.loads(json.dumps(current.to_json()))) == current


def test_a_file_without_a_command_is_refused():
    with pytest.raises(ValidationError):
        Environment.model_validate({"versions": {}})
