"""Regression tests for five defects of the published data scripts."""

import builtins
import dis
import importlib
import inspect
import os
import pkgutil
import random
import shutil

import pytest

import convrnn_data
from convrnn_data import CATEGORIES, ConvRNNError, list_stimuli, open_set, prepare, reformat
from convrnn_data.human.stimuli import CONDITIONS
from convrnn_data.imagenet import sources as sources_module
from convrnn_data.shards.splits import read_split

ALL = {"images": "all", "workers": 1}


def test_7_the_split_does_not_depend_on_the_order_of_directory_listings(
    class_folders, tmp_path, monkeypatch, digests
):
    prepare(class_folders, tmp_path / "one", **ALL)
    listdir, draw = os.listdir, random.Random(3)

    def shuffled(path):
        names = listdir(path)
        draw.shuffle(names)
        return names

    monkeypatch.setattr(sources_module.os, "listdir", shuffled)
    prepare(class_folders, tmp_path / "other", **ALL)
    assert digests(tmp_path / "one") == digests(tmp_path / "other")


@pytest.mark.parametrize(
    "content",
    [
        b'{"train": [0, 5, 17], "val": [3]}',
        b"[0, 5, 17, 3]",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i8'}",
        b"0\n5\n17\n",
    ],
)
def test_7_a_split_file_of_positions_is_refused_with_the_reason(content, tmp_path):
    (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(ConvRNNError, match="positions mean other images on another machine"):
        read_split(tmp_path / "split.json")


@pytest.mark.parametrize("home", ["oscar", "carlos/dogs", "bird_bottle", "n02085782"])
def test_8_the_category_is_read_from_its_field_and_not_from_the_path(home, class_folders, stimuli, tmp_path):
    place = tmp_path / home
    shutil.copytree(class_folders, place / "imagenet")
    prepare(place / "imagenet", place / "set", val=0, **ALL)
    table = open_set(place / "set").table("train")
    labels = {key[:9]: label for key, label in zip(table.keys.tolist(), table.labels.tolist(), strict=True)}
    assert labels["n02690373"] == CATEGORIES.index("airplane")
    assert sorted(set(labels.values())) == list(range(16))
    shutil.copytree(stimuli, place / "human")
    assert [one.category for one in list_stimuli(place / "human")] == [
        one.category for one in list_stimuli(stimuli)
    ]


@pytest.mark.parametrize("where", ["read", "write"])
def test_11_no_copy_error_is_swallowed(where, class_folders, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(5, "Input/output error")

    if where == "read":
        monkeypatch.setattr("convrnn_data.imagenet.copying.Reader._from_file", fail)
    else:
        monkeypatch.setattr("convrnn_data.shards.shard.os.replace", fail)
    with pytest.raises(ConvRNNError, match="Input/output error"):
        prepare(class_folders, tmp_path / "set", **ALL)
    assert not (tmp_path / "set").exists()


def test_13_writer_and_reader_use_the_same_names(stimuli, tmp_path):
    reformat(stimuli, tmp_path / "new")
    folders = sorted(path.name for path in (tmp_path / "new").iterdir() if path.is_dir())
    assert folders == ["blur_color", "color", "grayscale", "noise_grayscale"] == sorted(CONDITIONS.values())
    assert {one.regime for one in list_stimuli(tmp_path / "new")} == set(CONDITIONS)


def test_14_every_name_used_by_a_function_is_defined():
    for found in pkgutil.iter_modules(convrnn_data.__path__):
        module = importlib.import_module(f"convrnn_data.{found.name}")
        for function in map(inspect.unwrap, filter(inspect.isfunction, vars(module).values())):
            used = {step.argval for step in dis.get_instructions(function) if step.opname == "LOAD_GLOBAL"}
            assert used <= {*function.__globals__, *vars(builtins)}, (found.name, function)
