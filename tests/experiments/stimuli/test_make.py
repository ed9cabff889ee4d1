"""Test sets made here: the human layout, the same perturbations as training, a function of the seed."""

import csv
import io
import os
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from convrnn_data import list_stimuli, prepare
from convrnn_experiments.cli import app
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images.batches import Frame, batches, pictures_of
from convrnn_experiments.images.perturbations import perturb
from convrnn_experiments.stimuli import make


@pytest.fixture(scope="module")
def made(tmp_path_factory, prepared):
    out = tmp_path_factory.mktemp("stimuli") / "new"
    command = ["stimuli", str(prepared.path), str(out), "--per-block", "20", "--size", "48"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    return out


def test_the_layout_is_that_of_the_human_experiments(made):
    found = list_stimuli(made)
    assert len(found) == 3 * 5 * 20
    assert Counter((one.experiment, one.block) for one in found) == {
        (experiment, block): 20 for experiment in make.LEVELS for block in range(5)
    }
    levels = {
        experiment: {o.level for o in found if o.experiment == experiment} for experiment in make.LEVELS
    }
    assert levels == {"color_gray": {"c", "g"}, "noise": {"0", "0.04", "0.16"}, "blur": {"0", "3", "9"}}
    assert {path.name for path in made.iterdir()} == {*make.FOLDERS.values(), "stimuli.csv"}
    assert all(Image.open(io.BytesIO(one.read())).size == (48, 48) for one in found[:5])


def test_the_list_says_what_was_made_of_what(made, prepared):
    with (made / "stimuli.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(one.experiment, str(one.block), one.name): one for one in list_stimuli(made)}
    assert {(row["experiment"], row["block"], row["file_name"]) for row in rows} == set(found)
    table = prepared.table("val")
    labels = dict(zip((f"{key}.jpg" for key in table.keys), table.labels, strict=True))
    for row in rows:
        assert found[row["experiment"], row["block"], row["file_name"]].label == labels[row["source"]]


def test_pictures_are_perturbed_as_in_training(made, prepared):
    """Without noise nothing is random, so that the stimulus can be made again from its source."""
    table = prepared.table("val")
    rows = {f"{key}.jpg": row for row, key in enumerate(table.keys)}
    with (made / "stimuli.csv").open(newline="") as file:
        wanted = {row["level"]: row for row in csv.DictReader(file) if row["level"] in ("g", "0", "3")}
    for level, row in wanted.items():
        (one,) = [
            s
            for s in list_stimuli(made)
            if (s.experiment, str(s.block), s.name) == (row["experiment"], row["block"], row["file_name"])
        ]
        pictures, row = pictures_of(prepared, "val"), rows[row["source"]]
        ((images, _, _),) = batches(pictures, Frame(48, 55), 1, rows=np.array([row]))
        square = images.numpy().astype(np.float32) / 255
        strength = np.array([0.0 if level == "g" else float(level)], np.float32)
        condition = CONDITIONS[Regime(one.regime)]
        shown, _ = perturb(square, condition, seed_generator=keras.random.SeedGenerator(0), levels=strength)
        got = np.asarray(Image.open(io.BytesIO(one.read()))).astype(float)
        assert np.abs(got - 255 * np.asarray(shown)[0]).mean() < 1  # JPEG rounds


def test_noise_is_gray_of_low_contrast_and_as_strong_as_it_says(made):
    def spread(level):
        chosen = [s for s in list_stimuli(made) if (s.experiment, s.level) == ("noise", level)]
        pixels = [np.asarray(Image.open(io.BytesIO(s.read()))).astype(float) / 255 for s in chosen]
        assert np.mean(pixels) == pytest.approx(0.5, abs=0.02)
        # Neighbours differ by noise alone in smooth pictures; truncation at 2 SD leaves 0.88 of the SD.
        return np.median([np.diff(p.mean(axis=-1), axis=1).std() / np.sqrt(2) for p in pixels])

    assert spread("0") < 0.03
    assert spread("0.16") == pytest.approx(0.88 * 0.16, rel=0.15)


def test_the_seed_decides(tmp_path, made, prepared):
    for seed, same in ((0, True), (1, False)):
        out = tmp_path / str(seed)
        make.make(prepared.path, out, per_block=20, size=48, seed=seed)
        names = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
        before = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
        assert (names == before) == same
        if same:
            assert all((out / name).read_bytes() == (made / name).read_bytes() for name in names)


def levels_numbered(count):
    return {experiment: tuple(map(str, range(count))) for experiment in make.LEVELS}


def test_published_block_size_is_as_even_as_whole_numbers_allow():
    labels = np.repeat(np.arange(16), 70)
    planned = make.plan(labels, make.LEVELS, 210, seed=0)
    for experiment, levels in make.LEVELS.items():
        for block in range(5):
            ours = [one for one in planned if (one.experiment, one.block) == (experiment, block)]
            assert set(Counter(labels[one.row] for one in ours).values()) == {13, 14}
            assert set(Counter(one.level for one in ours).values()) == {210 // len(levels)}
            cells = Counter((labels[one.row], one.level) for one in ours)
            assert set(cells.values()) == ({4, 5} if len(levels) == 3 else {6, 7})


@settings(max_examples=30, deadline=None)
@given(
    images=st.lists(st.integers(1, 40), min_size=16, max_size=16),
    per_block=st.integers(1, 120),
    levels=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_images_repeat_only_where_there_are_too_few(images, per_block, levels, seed):
    labels = np.repeat(np.arange(16), images)
    planned = make.plan(labels, levels_numbered(levels), per_block, seed)
    assert len(planned) == 3 * 5 * per_block
    for experiment in make.LEVELS:
        ours = [one for one in planned if one.experiment == experiment]
        for scope in (ours, *([one for one in ours if one.block == block] for block in range(5))):
            uses = np.bincount([one.row for one in scope], minlength=len(labels))
            for label, there in enumerate(images):
                mine = uses[labels == label]
                assert mine.max() <= -(-mine.sum() // there)
        assert len({(one.block, one.name) for one in ours}) == 5 * per_block


def test_plan_is_a_function_of_labels_settings_and_seed():
    labels = np.repeat(np.arange(16), 30)
    first, second, other = (make.plan(labels, make.LEVELS, 48, seed) for seed in (0, 0, 1))
    assert first == second != other


def sources(drawn, tmp_path, *, labelled):
    """Drawn images in class folders, or flat in subfolders with a list of labels."""
    folder = tmp_path / "images"
    rows = []
    for path in sorted((drawn / "imagenet/train").glob("*/*.JPEG")):
        target = folder / (path.parent.name if not labelled else str(len(rows) % 2)) / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        rows.append(f"{path.name},{path.parent.name}")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(rows))
    return folder, labels if labelled else None


@pytest.mark.parametrize("labelled", [False, True])
def test_hidden_files_are_no_sources(drawn, tmp_path, labelled):
    folder, labels = sources(drawn, tmp_path, labelled=labelled)
    before = make.find_source(folder, labels).names
    for path in list(folder.glob("*/*.JPEG")):
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\26\7")
        (path.parent / "@eaDir").mkdir(exist_ok=True)
        shutil.copy(path, path.parent / "@eaDir" / path.name)
    assert make.find_source(folder, labels).names == before


@pytest.mark.parametrize("labelled", [False, True])
def test_source_folders_that_cannot_be_listed_or_are_gone_are_errors(drawn, tmp_path, labelled, monkeypatch):
    folder, labels = sources(drawn, tmp_path, labelled=labelled)
    victim = (
        next(folder.iterdir()) if labelled else next(p for p in folder.iterdir() if p.name == "n02690373")
    )
    listdir = os.listdir

    def refuse(path):
        if str(path) == str(victim):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", refuse)
        with pytest.raises(ConvRNNError, match=f"cannot list {victim}: Permission denied"):
            make.find_source(folder, labels)
    if not labelled:
        shutil.rmtree(victim)
        victim.symlink_to("/nowhere")
        with pytest.raises(ConvRNNError, match="must link to a folder, got a broken link"):
            make.find_source(folder, labels)


def test_a_listed_image_that_occurs_twice_is_an_error(drawn, tmp_path):
    folder, labels = sources(drawn, tmp_path, labelled=True)
    stem = next(path for path in folder.glob("*/*.JPEG") if path.name.startswith("n02690373"))
    (folder / "copy").mkdir()
    shutil.copy(stem, folder / "copy" / stem.name)
    with pytest.raises(ConvRNNError, match=f"a listed name may occur once, got .*{stem.name}"):
        make.find_source(folder, labels)


def test_folders_and_lists_of_labels(tmp_path, drawn, made):
    source = make.find_source(drawn / "imagenet" / "train")
    assert len(source.names) == len(source.labels) == 16 * 3  # what is none of the 16 is passed over
    flat = tmp_path / "val"
    flat.mkdir()
    rows = ["ImageId,PredictionString"]
    for place, path in enumerate(sorted((drawn / "imagenet/train").glob("*/*.JPEG"))):
        shutil.copy(path, flat / f"ILSVRC2012_val_{place:08d}.JPEG")
        rows.append(f"ILSVRC2012_val_{place:08d},{path.parent.name} 1 2 3 4 ")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    listed = make.find_source(flat, tmp_path / "labels.csv")
    assert Counter(listed.labels.tolist()) == Counter(source.labels.tolist())


@pytest.fixture(scope="module")
def unseen(drawn, tmp_path_factory):
    """The drawn pictures once more, as ILSVRC's validation archive, with labels beside it."""
    root = tmp_path_factory.mktemp("validation")
    labels = []
    with tarfile.open(root / "ILSVRC2012_img_val.tar", "w") as tar:
        for number, path in enumerate(sorted((drawn / "imagenet/train").glob("*/*.JPEG")), start=1):
            tar.add(path, f"ILSVRC2012_val_{number:08d}.JPEG")
            labels.append(path.parent.name)
    (root / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(labels) + "\n")
    return root


def test_pictures_come_from_ilsvrcs_validation_set(unseen, drawn, tmp_path):
    archive = unseen / "ILSVRC2012_img_val.tar"
    unpacked = tmp_path / "unpacked"
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    labels = unseen / "imagenet_2012_validation_synset_labels.txt"
    shutil.copy(labels, unpacked)
    prepared = []
    for split, val in (
        ("val", 0.0),
        ("test", 0.34),
        ("val", 0.34),
    ):  # alone, beside and among training images
        prepared.append(tmp_path / f"{split}-{val}")
        options = {"images": "all", "workers": 1, "validation": archive, "validation_split": split}
        prepare(drawn / "imagenet", prepared[-1], val=val, **options)
    first, *others = (
        make.find_source(*given)
        for given in ((archive,), (unseen,), (archive, labels), (unpacked,), *((path,) for path in prepared))
    )
    assert len(first.names) == 16 * 3
    for other in others:
        assert [Path(name).stem for name in other.names] == [Path(name).stem for name in first.names]
        assert other.labels.tolist() == first.labels.tolist()
        assert [other.read(row) for row in (0, 40, 7)] == [first.read(row) for row in (0, 40, 7)]


def test_stimuli_are_made_of_the_archive(unseen, tmp_path):
    make.make(unseen / "ILSVRC2012_img_val.tar", tmp_path / "new", per_block=16, size=16)
    with (tmp_path / "new/stimuli.csv").open(newline="") as file:
        sources = {row["source"] for row in csv.DictReader(file)}
    assert len(sources) == 16 * 3
    assert all(name.startswith("ILSVRC2012_val_") for name in sources)


def test_other_levels():
    assert make.levels_of((0.0, 0.1), (1.5,))["noise"] == ("0", "0.1")
    assert make.levels_of((0.0,), (1.5,))["blur"] == ("1.5",)
    with pytest.raises(ConvRNNError, match="at least 0"):
        make.levels_of((-0.1,), (1.5,))


def test_errors_leave_nothing(tmp_path, prepared):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("")
    (tmp_path / "few/dog").mkdir(parents=True)
    (tmp_path / "few/dog/a.JPEG").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for validation, out, says in (
        (prepared.path, tmp_path / "full", "got a folder with files"),
        (tmp_path / "few", tmp_path / "new", "must have a validation image, got none of airplane, bear"),
        (tmp_path / "empty", tmp_path / "new", "must hold images of the 16 categories, got none"),
        (tmp_path / "nowhere", tmp_path / "new", "does not exist"),
    ):
        with pytest.raises(ConvRNNError, match=says):
            make.make(validation, out)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_broken_image_is_named_and_leaves_nothing(tmp_path, drawn):
    copy = tmp_path / "train"
    shutil.copytree(drawn / "imagenet/train", copy)
    for path in copy.glob("n02690373/*"):
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ConvRNNError, match="n02690373"):
        make.make(copy, tmp_path / "new", per_block=20, size=16)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path, prepared):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ConvRNNError, match=r"cannot write .*file/new: Not a directory. .*/file is not a folder: choose"
    ):
        make.make(prepared.path, tmp_path / "file/new", per_block=20, size=16)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
