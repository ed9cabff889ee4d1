"""Lock files on disks with and without locks."""

import errno
import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.locking import LOCK, locked


def test_a_second_run_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(ConvRNNError, match=r"another run is writing into .* Wait"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path, shared=True), locked(tmp_path, shared=True):
        assert os.listdir(tmp_path) == [LOCK]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EAGAIN, errno.EACCES, errno.EINVAL]
)
@pytest.mark.parametrize("shared", [False, True])
def test_a_disk_without_locks_causes_a_warning(
    number: int,
    shared: bool,
    tmp_path: Path,
    no_locks: Callable[[int], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    no_locks(number)
    with caplog.at_level(logging.WARNING), locked(tmp_path, shared=shared):
        (tmp_path / "written").write_text("x")
    assert os.listdir(tmp_path) == ["written"]
    (record,) = caplog.records
    assert f"{tmp_path} is on a disk without file locks ({os.strerror(number)})" in record.getMessage()


def test_other_lock_errors_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(ConvRNNError, match=r"cannot lock .*: Input/output error\. "), locked(tmp_path):
        pass
