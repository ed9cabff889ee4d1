"""Sources of stimuli: prepared sets, ILSVRC's archive, folders by category, and lists of labels."""

import os
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from convrnn_data import prepare
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.stimuli.sources import find_source


def copy_sources(drawn_sample, tmp_path, *, labelled):
    """Copy drawn images into class folders, or into other subfolders with a list of labels."""
    folder = tmp_path / "images"
    rows = []
    for path in sorted((drawn_sample / "imagenet/train").glob("*/*.JPEG")):
        target = folder / (path.parent.name if not labelled else str(len(rows) % 2)) / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        rows.append(f"{path.name},{path.parent.name}")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(rows))
    return folder, labels if labelled else None


@pytest.mark.parametrize("labelled", [False, True])
def test_hidden_files_are_ignored(drawn_sample, tmp_path, labelled):
    folder, labels = copy_sources(drawn_sample, tmp_path, labelled=labelled)
    before = find_source(folder, labels).names
    for path in list(folder.glob("*/*.JPEG")):
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\26\7")
        (path.parent / "@eaDir").mkdir(exist_ok=True)
        shutil.copy(path, path.parent / "@eaDir" / path.name)
    assert find_source(folder, labels).names == before


@pytest.mark.parametrize("labelled", [False, True])
def test_unlistable_and_missing_source_folders_are_errors(drawn_sample, tmp_path, labelled, monkeypatch):
    folder, labels = copy_sources(drawn_sample, tmp_path, labelled=labelled)
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
            find_source(folder, labels)
    if not labelled:
        shutil.rmtree(victim)
        victim.symlink_to("/nowhere")
        with pytest.raises(ConvRNNError, match="must link to a folder, got a broken link"):
            find_source(folder, labels)


def test_a_duplicate_of_a_listed_image_is_an_error(drawn_sample, tmp_path):
    folder, labels = copy_sources(drawn_sample, tmp_path, labelled=True)
    stem = next(path for path in folder.glob("*/*.JPEG") if path.name.startswith("n02690373"))
    (folder / "copy").mkdir()
    shutil.copy(stem, folder / "copy" / stem.name)
    with pytest.raises(ConvRNNError, match=f"a listed name may occur once, got .*{stem.name}"):
        find_source(folder, labels)


def test_labels_come_from_folders_or_a_list(tmp_path, drawn_sample):
    source = find_source(drawn_sample / "imagenet" / "train")
    assert len(source.names) == len(source.labels) == 16 * 3  # other synsets are ignored
    flat = tmp_path / "val"
    flat.mkdir()
    rows = ["ImageId,PredictionString"]
    for number, path in enumerate(sorted((drawn_sample / "imagenet/train").glob("*/*.JPEG"))):
        shutil.copy(path, flat / f"ILSVRC2012_val_{number:08d}.JPEG")
        rows.append(f"ILSVRC2012_val_{number:08d},{path.parent.name} 1 2 3 4 ")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    listed = find_source(flat, tmp_path / "labels.csv")
    assert Counter(listed.labels.tolist()) == Counter(source.labels.tolist())


def test_validation_images_are_found_in_every_arrangement(validation_folder, drawn_sample, tmp_path):
    archive = validation_folder / "ILSVRC2012_img_val.tar"
    unpacked = tmp_path / "unpacked"
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    labels = validation_folder / "imagenet_2012_validation_synset_labels.txt"
    shutil.copy(labels, unpacked)
    prepared = []
    for split, val in (
        ("val", 0.0),
        ("test", 0.34),
        ("val", 0.34),
    ):  # alone, next to and among training images
        prepared.append(tmp_path / f"{split}-{val}")
        options = {"images": "all", "workers": 1, "validation": archive, "validation_split": split}
        prepare(drawn_sample / "imagenet", prepared[-1], val=val, **options)
    first, *others = (
        find_source(*given)
        for given in (
            (archive,),
            (validation_folder,),
            (archive, labels),
            (unpacked,),
            *((path,) for path in prepared),
        )
    )
    assert len(first.names) == 16 * 3
    for other in others:
        assert [Path(name).stem for name in other.names] == [Path(name).stem for name in first.names]
        assert other.labels.tolist() == first.labels.tolist()
        assert [other.read(row) for row in (0, 40, 7)] == [first.read(row) for row in (0, 40, 7)]
