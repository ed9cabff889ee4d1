"""Stimuli of `convrnn stimuli`: the human layout, the perturbations of training, determined by the seed."""

import csv
import io
import shutil
from collections import Counter

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from convrnn_data import list_stimuli
from convrnn_data.sample.sample import FOLDERS
from convrnn_experiments.cli import app
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images.batches import Frame, batches, images_of_split
from convrnn_experiments.images.perturbations import perturb
from convrnn_experiments.stimuli.make import make_stimuli
from convrnn_experiments.stimuli.plan import LEVELS


@pytest.fixture(scope="module")
def new_stimuli(tmp_path_factory, prepared):
    out = tmp_path_factory.mktemp("stimuli") / "new"
    command = ["stimuli", str(prepared.path), str(out), "--per-block", "20", "--size", "48"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    return out


def test_the_layout_is_that_of_the_human_experiments(new_stimuli):
    found = list_stimuli(new_stimuli)
    assert len(found) == 3 * 5 * 20
    assert Counter((one.experiment, one.block) for one in found) == {
        (experiment, block): 20 for experiment in LEVELS for block in range(5)
    }
    levels = {experiment: {o.level for o in found if o.experiment == experiment} for experiment in LEVELS}
    assert levels == {"color_gray": {"c", "g"}, "noise": {"0", "0.04", "0.16"}, "blur": {"0", "3", "9"}}
    assert {path.name for path in new_stimuli.iterdir()} == {*FOLDERS.values(), "stimuli.csv"}
    assert all(Image.open(io.BytesIO(one.read())).size == (48, 48) for one in found[:5])


def test_the_list_gives_the_source_of_each_stimulus(new_stimuli, prepared):
    with (new_stimuli / "stimuli.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(one.experiment, str(one.block), one.name): one for one in list_stimuli(new_stimuli)}
    assert {(row["experiment"], row["block"], row["file_name"]) for row in rows} == set(found)
    table = prepared.table("val")
    labels = dict(zip((f"{key}.jpg" for key in table.keys), table.labels, strict=True))
    for row in rows:
        assert found[row["experiment"], row["block"], row["file_name"]].label == labels[row["source"]]


def test_images_are_perturbed_as_in_training(new_stimuli, prepared):
    # Without noise nothing is random, so that the stimulus can be reproduced from its source.
    table = prepared.table("val")
    rows = {f"{key}.jpg": row for row, key in enumerate(table.keys)}
    with (new_stimuli / "stimuli.csv").open(newline="") as file:
        wanted = {row["level"]: row for row in csv.DictReader(file) if row["level"] in ("g", "0", "3")}
    for level, row in wanted.items():
        (one,) = [
            s
            for s in list_stimuli(new_stimuli)
            if (s.experiment, str(s.block), s.name) == (row["experiment"], row["block"], row["file_name"])
        ]
        source, row = images_of_split(prepared, "val"), rows[row["source"]]
        ((images, _, _),) = batches(source, Frame(48, 55), 1, rows=np.array([row]))
        square = images.numpy().astype(np.float32) / 255
        strength = np.array([0.0 if level == "g" else float(level)], np.float32)
        condition = CONDITIONS[Regime(one.regime)]
        shown, _ = perturb(square, condition, seed_generator=keras.random.SeedGenerator(0), levels=strength)
        pixels = np.asarray(Image.open(io.BytesIO(one.read()))).astype(float)
        assert np.abs(pixels - 255 * np.asarray(shown)[0]).mean() < 1  # JPEG rounds


def test_noise_is_gray_with_low_contrast_and_the_nominal_sd(new_stimuli):
    def spread(level):
        chosen = [s for s in list_stimuli(new_stimuli) if (s.experiment, s.level) == ("noise", level)]
        pixels = [np.asarray(Image.open(io.BytesIO(s.read()))).astype(float) / 255 for s in chosen]
        assert np.mean(pixels) == pytest.approx(0.5, abs=0.02)
        # Neighbours differ by noise alone in smooth images; truncation at 2 SD leaves 0.88 of the SD.
        return np.median([np.diff(p.mean(axis=-1), axis=1).std() / np.sqrt(2) for p in pixels])

    assert spread("0") < 0.03
    assert spread("0.16") == pytest.approx(0.88 * 0.16, rel=0.15)


def test_the_seed_determines_every_file(tmp_path, new_stimuli, prepared):
    for seed, same in ((0, True), (1, False)):
        out = tmp_path / str(seed)
        make_stimuli(prepared.path, out, per_block=20, size=48, seed=seed)
        names = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
        before = sorted(path.relative_to(new_stimuli) for path in new_stimuli.rglob("*") if path.is_file())
        assert (names == before) == same
        if same:
            assert all((out / name).read_bytes() == (new_stimuli / name).read_bytes() for name in names)


def test_stimuli_are_made_from_the_validation_archive(validation_folder, tmp_path):
    make_stimuli(validation_folder / "ILSVRC2012_img_val.tar", tmp_path / "new", per_block=16, size=16)
    with (tmp_path / "new/stimuli.csv").open(newline="") as file:
        sources = {row["source"] for row in csv.DictReader(file)}
    assert len(sources) == 16 * 3
    assert all(name.startswith("ILSVRC2012_val_") for name in sources)


def test_errors_leave_no_files(tmp_path, prepared):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("")
    (tmp_path / "few/dog").mkdir(parents=True)
    (tmp_path / "few/dog/a.JPEG").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for validation, out, message in (
        (prepared.path, tmp_path / "full", "got a folder with files"),
        (tmp_path / "few", tmp_path / "new", "must have a validation image, got none of airplane, bear"),
        (tmp_path / "empty", tmp_path / "new", "must hold images of the 16 categories, got none"),
        (tmp_path / "nowhere", tmp_path / "new", "does not exist"),
    ):
        with pytest.raises(ConvRNNError, match=message):
            make_stimuli(validation, out)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_corrupt_image_is_named_and_leaves_no_files(tmp_path, drawn_sample):
    copy = tmp_path / "train"
    shutil.copytree(drawn_sample / "imagenet/train", copy)
    for path in copy.glob("n02690373/*"):
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ConvRNNError, match="n02690373"):
        make_stimuli(copy, tmp_path / "new", per_block=20, size=16)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_an_unwritable_path_is_a_clear_error(tmp_path, prepared):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ConvRNNError, match=r"cannot write .*file/new: Not a directory. .*/file is not a folder: choose"
    ):
        make_stimuli(prepared.path, tmp_path / "file/new", per_block=20, size=16)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
