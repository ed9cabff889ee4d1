import fcntl

import pytest

from convrnn_data import ConvRNNError, prepare

ALL = {"images": "all", "val": 0, "workers": 1}


def test_a_complete_set_is_not_changed(class_folders, tmp_path, digests):
    prepare(class_folders, tmp_path / "set", **ALL)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    again = prepare(class_folders, tmp_path / "set", **ALL)
    assert (again.written, again.kept, again.complete) == (0, 1, True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")} == before


def test_another_plan_is_refused_with_the_difference(class_folders, tmp_path, digests):
    prepare(class_folders, tmp_path / "set", **ALL)
    before = digests(tmp_path / "set")
    with pytest.raises(
        ConvRNNError, match=r"another plan: seed must be 0, got 3; shard_size must be 1000, got 5\. Choose"
    ):
        prepare(class_folders, tmp_path / "set", seed=3, shard_size=5, **ALL)
    assert digests(tmp_path / "set") == before


def test_a_removed_shard_is_written_again(class_folders, tmp_path, digests):
    prepare(class_folders, tmp_path / "set", shard_size=20, **ALL)
    before = digests(tmp_path / "set")
    (tmp_path / "set" / "train" / "000002.tar").unlink()
    assert prepare(class_folders, tmp_path / "set", shard_size=20, **ALL).written == 1
    assert digests(tmp_path / "set") == before


def test_a_second_run_into_one_folder_is_refused(class_folders, tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    with open(out / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConvRNNError, match="another run is writing into"):
            prepare(class_folders, out, **ALL)
        with pytest.raises(ConvRNNError, match="another run is writing into"):
            prepare(class_folders, out, task="1/2", **ALL)
    assert prepare(class_folders, out, **ALL).complete
    assert not (out / ".lock").exists()


def test_tasks_share_a_folder_but_not_with_a_whole_run(class_folders, tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    with open(out / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert prepare(class_folders, out, task="1/2", **ALL).written == 1
        with pytest.raises(ConvRNNError, match="another run is writing into"):
            prepare(class_folders, out, **ALL)


def test_a_file_with_the_name_of_the_set_is_an_error(class_folders, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "set"):
        with pytest.raises(
            ConvRNNError,
            match=r"cannot make .*: .*(got a file|file is a file, not a folder)\. Choose another name",
        ):
            prepare(class_folders, out, **ALL)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
