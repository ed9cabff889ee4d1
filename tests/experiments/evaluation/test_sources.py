"""Description of the sources of results."""

from pathlib import Path

import pytest

from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.evaluation.sources import FileSource


@pytest.fixture(scope="module")
def source(tmp_path_factory, human_data, make_run):
    run = make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", human_data, steps=3)
    (evaluation,) = read_evaluations([run])
    return evaluation.source


def test_a_run_names_its_commands_network_and_settings(source):
    assert source.commands == ("convrnn train data --perturb blur",) * 2
    assert source.network == "bl_net, 1,234 parameters, 11,000,000 multiply-adds per image; 0 epochs"
    assert source.details[0].startswith("images are cropped and perturbed at 224 px")
    assert source.details[-1] == "keras 3.0"
    facts = source.facts
    assert (facts["parameters"], facts["config: perturb"], facts["version: keras"]) == (1234, "blur", "3.0")


def test_epochs_are_counted_from_the_history(source):
    (source.path / "history.csv").write_text("epoch,loss\n0,2.0\n")
    assert source.network.endswith("; 1 epoch")


def test_a_file_is_described_by_path_form_and_hash():
    source = FileSource(Path("a/net.csv"), "predictions", "0" * 64, 7)
    assert source.trained_on == "not known"
    assert source.commands == ()
    assert source.facts == {"file": "a/net.csv", "form": "predictions", "sha256": "0" * 64, "images": 7}
    assert "does not describe the network" in source.network
