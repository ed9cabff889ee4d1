"""Opening of HDF5 files: disks without locks, system errors, and paths."""

import errno
import fcntl
import os

import h5py
import pytest

from convrnn_model import (
    ConvRNNError,
    inspect_weights,
    load_weights,
    save_weights,
)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EAGAIN, errno.ENOSYS, errno.EACCES])
def test_disks_without_locks_are_read_and_written(number, weights_file, small_b, no_locks):
    no_locks(number)
    assert inspect_weights(weights_file).variant == "b_net"
    save_weights(small_b, weights_file.with_name("again.h5"))
    assert len(load_weights(small_b, weights_file.with_name("again.h5")).loaded) == len(small_b.weights)


def test_a_locked_file_is_reported_as_being_written(weights_file):
    with weights_file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(
            ConvRNNError, match=f"cannot read {weights_file}: another process is writing it. Wait"
        ):
            inspect_weights(weights_file)
    assert inspect_weights(weights_file).variant == "b_net"


def test_a_short_file_without_locks_may_be_one_being_written(weights_file, no_locks):
    weights_file.write_bytes(weights_file.read_bytes()[:4096])
    with pytest.raises(ConvRNNError, match=r"damaged or truncated: HDF5 reports"):
        inspect_weights(weights_file)
    no_locks(errno.ENOLCK)
    with pytest.raises(ConvRNNError, match="damaged or truncated, or another process is writing it"):
        inspect_weights(weights_file)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "check it, and use a copy"),
        (errno.ESTALE, "mount the disk again"),
        (errno.EACCES, "permissions"),
        (errno.ENOMEM, "Free memory"),
    ],
)
def test_system_errors_are_not_reported_as_damage(number, remedy, weights_file, monkeypatch):
    def fail(*_, **__):
        raise OSError(f"Unable to open file (unable to open file: errno = {number}, error message = 'x')")

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(ConvRNNError) as caught:
        inspect_weights(weights_file)
    assert str(caught.value).startswith(f"cannot read {weights_file}: {os.strerror(number)}. ")
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("w.h5\0", "no null characters"),
        ("a" * 300, "Choose a shorter name"),
        ("w.h5/weights.h5", "Check the path"),
        ("dead.h5", "symbolic link to a file that does not exist"),
        ("loop.h5", "leads back to itself"),
    ],
)
def test_invalid_paths(path, says, weights_file):
    weights_file.with_name("dead.h5").symlink_to("nowhere")
    weights_file.with_name("loop.h5").symlink_to("loop.h5")
    with pytest.raises(ConvRNNError, match=says):
        inspect_weights(weights_file.parent / path)
