import os

import pytest

from convrnn_data import ConvRNNError
from convrnn_data.base.directories import files_below, is_dead_link


def test_files_are_listed_in_order_without_hidden_ones(tmp_path):
    for name in ("b/2", "b/1", "a/x/y", ".hidden/z", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in files_below(tmp_path)] == ["c", "a/x/y", "b/1", "b/2"]


def test_linked_folders_are_listed_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    os.symlink(tmp_path, tmp_path / "a" / "loop")
    os.symlink(tmp_path / "a", tmp_path / "b")
    assert list(files_below(tmp_path)) == [tmp_path / "a" / "x"]


def test_dead_links_are_listed_and_missing_folders_are_errors(tmp_path):
    os.symlink(tmp_path / "gone", tmp_path / "link")
    assert list(files_below(tmp_path)) == [tmp_path / "link"]
    assert is_dead_link(tmp_path / "link")
    assert not is_dead_link(tmp_path)
    with pytest.raises(ConvRNNError, match=r"cannot list .*gone.*Check it"):
        list(files_below(tmp_path / "gone", "Check it"))
