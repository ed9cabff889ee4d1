"""Origin of validation images, stated by a run, an evaluation and a report."""

import json

import keras
import pytest
from typer.testing import CliRunner

from convrnn_data import PreparedSet, prepare
from convrnn_experiments.cli import app
from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import build, network_tables
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import write_json
from convrnn_experiments.runs.network import build_network
from convrnn_experiments.runs.provenance import describe_images
from convrnn_experiments.training import launch
from convrnn_model import save_weights

SEEN = "16 from ImageNet's training set, seen by a backbone that was trained on it, so accuracy flatters"
SMALL = {
    "width": 0.03,
    "timesteps": 1,
    "stimulus_size": 72,
    "image_size": 64,
    "resize": 73,
    "trainable": "all",
    "epochs": 1,
}


@pytest.fixture(scope="module")
def validation_sets(drawn_sample, tmp_path_factory):
    """Sets whose validation splits are ILSVRC's validation images, alone or with training images."""
    root = tmp_path_factory.mktemp("validation_sets")
    (root / "images").mkdir()
    for number, path in enumerate(sorted((drawn_sample / "imagenet/train").glob("*/*.JPEG")), start=1):
        folder = root / "images" / path.parent.name
        folder.mkdir(exist_ok=True)
        (folder / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(path.read_bytes())
    options = {"images": "all", "workers": 1, "validation": root / "images"}
    prepare(drawn_sample / "imagenet", root / "only", **options)
    prepare(drawn_sample / "imagenet", root / "both", val=0.34, **options)
    prepare(drawn_sample / "imagenet", root / "compared", exclude_stimuli=drawn_sample / "human", **options)
    return root


def test_splits_are_described_by_origin(prepared, validation_sets):
    validation = "48 from ILSVRC's validation set, new to the backbone, not compared with the human stimuli"
    assert describe_images(prepared, "val") == SEEN
    assert describe_images(PreparedSet(validation_sets / "only"), "val") == validation
    assert describe_images(PreparedSet(validation_sets / "both"), "val") == f"{SEEN}; {validation}"
    data = PreparedSet(validation_sets / "compared")
    left_out = data.near_duplicates["left_out"]
    assert describe_images(data, "val") == (
        f"{48 - left_out} from ILSVRC's validation set, new to the backbone, without {left_out} near-duplicates of the "
        "human stimuli"
    )


def test_a_run_with_a_backbone_names_its_validation_images(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("convrnn_experiments.training.loop.train", lambda *args, **kwargs: None)
    config = Config(data=str(prepared.path), perturb=Regime.COLOR, **SMALL)
    save_weights(build_network(config), tmp_path / "start.h5")
    for weights, has_backbone in (("none", False), (str(tmp_path / "start.h5"), True)):
        messages = []
        folder = tmp_path / ("with" if has_backbone else "without")
        config_with_weights = Config(data=str(prepared.path), perturb=Regime.COLOR, weights=weights, **SMALL)
        launch.train(config_with_weights, folder, echo=messages.append)
        assert (f"validation images: {SEEN}" in messages) == has_backbone
        assert json.loads((folder / "environment.json").read_text())["validation_images"] == SEEN


def test_evaluation_and_report_name_their_images(prepared, tmp_path):
    config = Config(data=str(prepared.path), perturb=Regime.COLOR, **SMALL)
    run = tmp_path / "run"
    write_json(run / "config.json", config.to_json())
    environment = {"command": "convrnn train", "versions": {}, "validation_images": "20 from somewhere"}
    write_json(run / "environment.json", environment)
    keras.utils.set_random_seed(0)
    save_weights(build_network(config), run / "weights.h5")
    done = CliRunner().invoke(app, ["evaluate", str(run), str(prepared.path)])
    assert done.exit_code == 0, done.output
    assert f"images: {SEEN}" in done.output
    assert json.loads((run / "evaluation/val-color/measures.json").read_text())["origin"] == SEEN
    (one,) = read_evaluations([run])
    facts = {row["what"]: row["value"] for row in network_tables.provenance([one])}
    assert facts["images from"] == SEEN
    assert facts["validated on"] == "20 from somewhere"
    page = build.write_report([run], tmp_path / "page/index.html")
    assert "validated on 20 from somewhere" in page.read_text()
    assert "16 from ImageNet&#x27;s training set, seen by a backbone" in page.read_text()
