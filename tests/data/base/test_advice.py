import bz2
import errno
import gzip
import io
import lzma
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from convrnn_data import ConvRNNError
from convrnn_data.base import advice
from convrnn_data.base.atomic import write_file


def zipped(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * 50)
    return out.getvalue()


def saved(write):
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def tarred():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("x"))
    return out.getvalue()


HEADS = {
    "gzip": gzip.compress(b"x"),
    "bzip2": bz2.compress(b"x"),
    "xz": lzma.compress(b"x"),
    "zstd": b"\x28\xb5\x2f\xfd\0",
    "zip": zipped("train/n01440764/x.JPEG"),
    "npz": saved(lambda out: np.savez(out, a=np.zeros(3))),
    "npy": saved(lambda out: np.save(out, np.zeros(3))),
    "pytorch": zipped("archive/data.pkl", "archive/data/0"),
    "keras": zipped("metadata.json", "config.json"),
    "pickle": pickle.dumps({"a": 1}),
    "parquet": b"PAR1\x15\x04",
    "arrow": b"ARROW1\0\0",
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "html": b"\xef\xbb\xbf\r\n <!DOCTYPE HTML><html><title>Login</title>",
    "xml": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "json": b'{"error": "quota exceeded"}',
    "tar": tarred(),
    "jpeg": b"\xff\xd8\xff\xe0",
    "appledouble": b"\0\x05\x16\x07\0\2",
    "zeros": bytes(600),
    "empty": b"",
}


@pytest.mark.parametrize("name", HEADS)
def test_formats_are_detected_by_their_first_bytes(name, tmp_path):
    kind = advice.kind_of(HEADS[name][: advice.HEAD])
    assert kind is not None
    assert kind.name == name
    assert kind.way_out
    path = tmp_path / "file.tar"
    path.write_bytes(HEADS[name])
    assert advice.kind_of_file(path) == kind
    message = advice.not_a("a tar", path, kind, "")
    assert f"{path} is not a tar: got {kind.words}. " in message
    assert "FILE" not in message.replace(str(path), "")


def test_legacy_pytorch_checkpoints_differ_from_other_pickles():
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    assert advice.kind_of(magic + pickle.dumps({}, protocol=2)).name == "pytorch"


def test_unknown_bytes_have_no_format(tmp_path):
    assert advice.kind_of(b"\x01\x02\x03\xfe" * 200) is None
    assert advice.kind_of_file(tmp_path / "absent") is None
    os.mkfifo(tmp_path / "pipe")
    assert advice.kind_of_file(tmp_path / "pipe") is None  # does not wait for a writer


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "ulimit -n"),
        (errno.EFBIG, "FAT32"),
        (errno.EIO, "dmesg"),
        (errno.ESTALE, "mount it again"),
        (errno.ENOTCONN, "mount it again"),
        (errno.ENOSPC, "Make room"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.ELOOP, "leads back to itself"),
        (errno.ENAMETOOLONG, "shorter name"),
        (errno.ENOMEM, "fewer --workers"),
    ],
)
def test_the_way_out_fits_the_errno(number, words):
    text = advice.describe(OSError(number, os.strerror(number)), "/some/file", "Something else")
    assert text.startswith(os.strerror(number) + ". ")
    assert words in text
    assert "Something else" not in text


def test_an_errno_without_advice_uses_the_advice_of_the_caller():
    assert advice.describe(OSError(errno.EDOM, "Odd"), "/x", "Do this") == "Odd. Do this"
    assert advice.describe(OSError(errno.EDOM, "Odd")) == "Odd"
    assert advice.describe(OSError()) == "OSError"


def test_the_advice_names_the_missing_permission():
    error = OSError(errno.EACCES, "Permission denied")
    assert "read permission, or grant it (`chmod u+r /x`)" in advice.way_out(error, "/x")
    assert "chmod u+w" in advice.way_out(error, "/x", writing=True)


def test_a_dead_link_and_a_missing_folder_are_named(tmp_path):
    (tmp_path / "link").symlink_to("/nowhere/at/all")
    error = OSError(errno.ENOENT, "No such file or directory", str(tmp_path / "link"))
    assert "is a link to /nowhere/at/all, which does not exist" in advice.way_out(error)
    deep = tmp_path / "a" / "b" / "c"
    assert f"The nearest folder that exists is {tmp_path}." in advice.way_out(error, deep)
    (tmp_path / "file").write_bytes(b"")
    error = OSError(errno.ENOTDIR, "Not a directory")
    assert f"{tmp_path / 'file'} is not a folder" in advice.way_out(error, tmp_path / "file" / "x")


def test_a_file_too_large_differs_from_a_full_disk(tmp_path, monkeypatch):
    def too_large(self, data):
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr("pathlib.Path.write_bytes", too_large)
    with pytest.raises(ConvRNNError, match=r"cannot write .*File too large\. .*ulimit -f"):
        write_file(tmp_path / "x", b"x")
