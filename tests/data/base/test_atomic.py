import os
import subprocess
import sys
from pathlib import Path

import pytest

from convrnn_data.base.atomic import (
    atomic_file,
    atomic_folder,
    remove_dead_temporaries,
    remove_dead_temporaries_of,
    temporary_name,
    write_file,
)
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.sample.sample import draw_sample


def dead_name(path: Path) -> Path:
    """Return the temporary name that a dead process would have used."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return path.with_name(f"{temporary_name(path).name.rsplit('.', 2)[0]}.{ended.pid}.tmp")


def test_temporary_files_of_dead_processes_are_removed_for_one_file_only(tmp_path: Path) -> None:
    dead, other = dead_name(tmp_path / "table[1].csv"), dead_name(tmp_path / "table.csv")
    alive = temporary_name(tmp_path / "table[1].csv")
    for path in (dead, other, alive):
        path.touch()
    remove_dead_temporaries_of(tmp_path / "table[1].csv")
    assert sorted(tmp_path.iterdir()) == sorted([other, alive])


def test_a_sample_replaces_the_temporary_folder_of_a_dead_process(tmp_path: Path) -> None:
    begun = dead_name(tmp_path / "sample") / "imagenet"
    begun.mkdir(parents=True)
    (begun / "half.JPEG").touch()
    draw_sample(tmp_path / "sample", images_per_category=1, trials=16, observers=1)
    assert list(tmp_path.iterdir()) == [tmp_path / "sample"]


def test_a_file_appears_when_the_block_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.txt"
    with atomic_file(path, make_folder=True) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["x.txt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_file(path, b"old")
    expected = ConvRNNError if isinstance(error, OSError) else KeyboardInterrupt

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"new")
        raise error

    with pytest.raises(expected), atomic_file(path) as temporary:
        fail(temporary)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_a_file_replaces_the_temporary_file_of_a_dead_process(tmp_path: Path) -> None:
    dead_name(tmp_path / "x.txt").write_bytes(b"partial")
    write_file(tmp_path / "x.txt", b"new")
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("error", [None, OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_temporary_file_can_keep_its_name(error: BaseException | None, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"old")
    try:
        with atomic_file(path, keep_name=True) as temporary:
            assert temporary.name == "model.keras"
            assert temporary != path
            temporary.write_bytes(b"new")
            if error:
                raise error
    except (ConvRNNError, KeyboardInterrupt):
        assert error
    assert path.read_bytes() == (b"old" if error else b"new")
    assert os.listdir(tmp_path) == ["model.keras"]


def test_a_temporary_file_that_kept_its_name_is_removed_after_a_crash(tmp_path: Path) -> None:
    folder = dead_name(tmp_path / "model.keras")
    folder.mkdir()
    (folder / "model.keras").write_bytes(b"partial")
    remove_dead_temporaries(tmp_path)
    assert os.listdir(tmp_path) == []


def test_temporary_files_of_other_machines_are_removed_after_a_day(tmp_path: Path) -> None:
    alive, dead = temporary_name(tmp_path / "a.h5"), dead_name(tmp_path / "b.h5")
    recent, old = tmp_path / ".c.h5.elsewhere.1.tmp", tmp_path / ".d.h5.elsewhere.1.tmp"
    for path in (alive, dead, recent, old):
        path.write_bytes(b"partial")
    os.utime(old, (0, 0))
    remove_dead_temporaries(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, recent])


@pytest.mark.parametrize("sync", [True, False])
def test_data_is_synced_before_the_rename(
    sync: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(os, "fsync", lambda file: calls.append(os.fstat(file).st_ino))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("rename"), replace(*names)))
    write_file(tmp_path / "x", b"data", sync=sync)
    file, folder = ((tmp_path / name).stat().st_ino for name in ("x", ""))
    assert calls == ([file, "rename", folder] if sync else ["rename"])


def test_a_folder_appears_when_the_block_succeeds(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a" / "out") as folder:
        (folder / "x").write_bytes(b"x")
        assert not (tmp_path / "a" / "out").exists()
    assert os.listdir(tmp_path / "a") == ["out"]
    with (
        pytest.raises(ConvRNNError, match="it must be a new or empty folder"),
        atomic_folder(tmp_path / "a" / "out"),
    ):
        pass
    with pytest.raises(ValueError, match="stop"), atomic_folder(tmp_path / "b" / "out"):
        raise ValueError("stop")
    assert os.listdir(tmp_path) == ["a"]
