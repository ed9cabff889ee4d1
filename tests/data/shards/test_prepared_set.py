import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_data import ConvRNNError, PreparedSet, open_set, prepare
from convrnn_data.shards import prepared_set as prepared_module


@pytest.fixture(scope="module")
def path(class_folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("reading") / "set"
    prepare(class_folders, out, images="all", val=0.2, shard_size=25, workers=1)
    return out


@pytest.fixture(scope="module")
def originals(class_folders):
    return {path.stem: path.read_bytes() for path in class_folders.rglob("*.JPEG")}


def test_a_set_names_its_splits_and_columns(path, originals):
    opened = PreparedSet(path)
    assert (opened.path, opened.splits) == (path, ("train", "val"))
    assert opened.plan_hash == opened.manifest["plan"]
    tables = [opened.table(split) for split in opened.splits]
    assert sum(map(len, tables)) == 19 * 6
    table = tables[0]
    kinds = {
        name: getattr(table, name).dtype.str[1:]
        for name in ("labels", "widths", "heights", "shard_ids", "sizes")
    }
    assert kinds == {"labels": "i8", "widths": "i4", "heights": "i4", "shard_ids": "i8", "sizes": "i8"}
    assert [len(originals[key]) for key in table.keys.tolist()] == table.sizes.tolist()
    assert len(table.shards) == table.shard_ids.max() + 1 == 4


@given(indices=st.lists(st.integers(-90, 89), max_size=40))
def test_images_are_read_in_the_requested_order(path, originals, indices):
    table = open_set(path).table("train")
    right = table.read(indices) == [originals[table.keys[index]] for index in indices]
    table.close()
    assert right


def test_a_position_outside_the_table_is_an_index_error(path):
    table = open_set(path).table("train")
    with pytest.raises(IndexError):
        table.read([len(table)])


@pytest.mark.parametrize("most_open", [256, 1, 0])
def test_many_threads_may_read_at_once(path, originals, monkeypatch, most_open):
    monkeypatch.setattr(prepared_module, "most_open", lambda: most_open)
    table = open_set(path).table("train")
    orders = [np.random.default_rng(seed).permutation(len(table)) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for order, batch in zip(orders, pool.map(table.read, orders), strict=True):
            assert batch == [originals[key] for key in table.keys[order]]
    assert len(table._files) == min(most_open, len(table.shards))


def test_a_table_can_be_pickled(path):
    table = open_set(path).table("val")
    table.read([0])
    again = pickle.loads(pickle.dumps(table))
    assert again.read(range(len(again))) == table.read(range(len(table)))


def test_a_shard_shorter_than_its_index_is_an_error(path, tmp_path):
    own = shutil.copytree(path, tmp_path / "set")
    table = open_set(own).table("train")
    last = int(np.flatnonzero(table.shard_ids == 0)[-1])
    with open(table.shards[0], "r+b") as file:
        file.truncate(int(table.offsets[last]) + 5)
    with pytest.raises(ConvRNNError, match=r"000000\.tar is shorter than its index says: .* got 5"):
        table.read([last])
    table.shards[1].unlink()
    with pytest.raises(ConvRNNError, match=r"000001\.tar: No such file"):
        table.read(np.flatnonzero(table.shard_ids == 1)[:1])


def test_paths_that_are_not_sets_are_refused(path, tmp_path, class_folders):
    with pytest.raises(
        ConvRNNError,
        match=r"does not exist. Check the path, or make a prepared set there with `convrnn-data prepare",
    ):
        PreparedSet(tmp_path / "none")
    with pytest.raises(ConvRNNError, match=r"is not a prepared set: it has no manifest\.json"):
        PreparedSet(tmp_path)
    with pytest.raises(ConvRNNError, match="is a file: a prepared set is a folder"):
        PreparedSet(path / "manifest.json")
    prepare(class_folders, tmp_path / "part", images="all", workers=1, task="1/2")
    with pytest.raises(ConvRNNError, match="is not complete"):
        PreparedSet(tmp_path / "part")
    with pytest.raises(ConvRNNError, match="has no split 'test'; it has train, val"):
        PreparedSet(path).table("test")


def test_an_index_of_another_set_is_refused(path, tmp_path, class_folders):
    own = shutil.copytree(path, tmp_path / "set")
    prepare(class_folders, tmp_path / "other", images="all", seed=1, workers=1)
    shutil.copy(tmp_path / "other" / "val" / "000000.json", own / "val" / "000000.json")
    with pytest.raises(ConvRNNError, match="belongs to another plan"):
        PreparedSet(own).table("val")
