"""Test sets: human stimuli in every layout, or a split; their order, names and sizes."""

import dataclasses
import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convrnn_data import list_stimuli, reformat
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.trials import HUMAN, SPLIT, find_trials, regimes_in
from convrnn_experiments.images.batches import batches
from convrnn_experiments.runs.config import Config

CONFIG = Config(data="data", perturb=Regime.COLOR)


@pytest.fixture(scope="module")
def human(drawn_sample: Path) -> Path:
    return drawn_sample / "human"


def test_stimuli_of_a_regime_are_ordered_by_category_and_name(human):
    trials = find_trials(human, Regime.NOISE, CONFIG)
    stimuli = {str(one.path): one for one in list_stimuli(human) if one.regime == "noise"}
    assert (trials.name, trials.kind, trials.perturbed, trials.origin) == ("noise", HUMAN, True, None)
    assert len(trials.names) == len(stimuli)
    rows = list(zip(trials.images.labels.tolist(), trials.names, strict=True))
    assert rows == sorted(rows)
    for row, path in enumerate(trials.paths):
        stimulus = stimuli[path]
        assert (trials.levels[row], trials.blocks[row], trials.images.labels[row]) == (
            stimulus.level,
            stimulus.block,
            stimulus.label,
        )
    assert trials.images.read([5, 2]) == [Path(trials.paths[row]).read_bytes() for row in (5, 2)]


def test_a_split_is_perturbed_at_evaluation(prepared):
    trials = find_trials(prepared.path, Regime.NOISE, CONFIG, split="train")
    table = prepared.table("train")
    assert (trials.name, trials.kind, trials.perturbed) == ("train-noise", SPLIT, False)
    assert (trials.frame.size, trials.frame.resize) == (224, 256)
    assert (trials.blocks == -1).all()
    assert sorted(trials.names) == sorted(f"{key}.jpg" for key in table.keys)
    rows = list(zip(trials.images.labels.tolist(), trials.names, strict=True))
    assert rows == sorted(rows)
    row = table.keys.tolist().index(trials.names[7].removesuffix(".jpg"))
    assert trials.images.labels[7] == table.labels[row]
    with tarfile.open(table.shards[table.shard_ids[row]]) as tar:
        assert trials.images.read([7]) == [tar.extractfile(trials.names[7]).read()]
    assert trials.paths[7] == f"{table.shards[table.shard_ids[row]]}#{table.keys[row]}.jpg"


def test_results_can_be_named(human, prepared):
    assert find_trials(human, Regime.BLUR, CONFIG, name="new").name == "new-blur"
    assert find_trials(prepared.path, Regime.BLUR, CONFIG, name="new").name == "new-blur"


def test_unsuitable_test_sets_are_refused(tmp_path, human, prepared):
    config = CONFIG
    only_blur = tmp_path / "BlurSplit_color"
    shutil.copytree(human / "BlurSplit_color", only_blur)
    for folder, regime, message in (
        (tmp_path / "nowhere", Regime.COLOR, "must be a folder, got no such folder"),
        (only_blur, Regime.COLOR, "must hold stimuli of the color regime, got blur"),
    ):
        with pytest.raises(ConvRNNError, match=message):
            find_trials(folder, regime, config)
    with pytest.raises(ConvRNNError, match="nosuch"):
        find_trials(prepared.path, Regime.COLOR, config, split="nosuch")


def test_stimuli_are_read_without_cropping(human):
    trials = find_trials(human, Regime.COLOR, Config(data="data", perturb=Regime.COLOR))
    assert (trials.frame.size, trials.frame.resize) == (224, 224)
    assert dataclasses.replace(trials, levels=None).perturbed is False
    ((images, _, _),) = batches(trials.images, trials.frame, 1, rows=np.array([3]))
    expected = np.asarray(Image.open(io.BytesIO(trials.images.read([3])[0])).convert("RGB")).astype(int)
    np.testing.assert_allclose(images[0].numpy().astype(int), expected, atol=1)  # decoders round differently


@pytest.mark.parametrize("size", [(200, 200), (224, 200)])
@pytest.mark.parametrize("layout", ["original", "shards"])
def test_stimuli_of_another_size_are_refused(tmp_path, human, size, layout):
    # Levels are in pixels of the stimulus, so another size would mean other levels under the same name.
    copy = tmp_path / "human"
    shutil.copytree(human, copy)
    victim = sorted(copy.glob("NoiseSplit_gray_contrast0.2/3/*"))[0]
    Image.open(victim).resize(size).save(victim, "JPEG")
    folder = copy
    if layout == "shards":
        folder = tmp_path / "shards"
        reformat(copy, folder, layout=layout)
    message = rf"square of the run's --stimulus-size 224 px, got {size[0]} x {size[1]} px.*--size 224"
    with pytest.raises(ConvRNNError, match=message):
        find_trials(folder, Regime.NOISE, Config(data="data", perturb=Regime.NOISE))
    find_trials(folder, Regime.BLUR, Config(data="data", perturb=Regime.BLUR))


def test_regimes_of_a_test_set(human, prepared, tmp_path):
    assert regimes_in(human) == list(Regime)
    (tmp_path / "BlurSplit_color").symlink_to(human / "BlurSplit_color")
    assert regimes_in(tmp_path) == [Regime.BLUR]
    assert regimes_in(prepared.path) == [Regime.COLOR]
    assert regimes_in(tmp_path / "nowhere") == [Regime.COLOR]
