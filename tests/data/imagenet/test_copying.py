import csv
import json
import os
import resource
import shutil
from pathlib import Path

import pytest

from convrnn_data import ConvRNNError, prepare
from convrnn_data.imagenet import copying as copying_module
from convrnn_data.imagenet.copying import Reader
from convrnn_data.imagenet.plan import Member
from convrnn_data.shards.images import make_ready

ALL = {"images": "all", "val": 0, "workers": 1}


@pytest.fixture(scope="module")
def reference(class_folders, tmp_path_factory, digests):
    out = tmp_path_factory.mktemp("reference") / "set"
    prepare(class_folders, out, **ALL)
    return digests(out)


@pytest.mark.parametrize("most", [16, 4])
def test_a_low_limit_on_open_files_suffices(most, class_tars, tmp_path, reference, digests, monkeypatch):
    """With more class tars than open files, tars are closed and reopened."""
    monkeypatch.setattr("convrnn_data.imagenet.copying.most_open", lambda: most)
    prepare(class_tars, tmp_path / "set", **ALL)
    assert digests(tmp_path / "set") == reference


def test_a_reader_closes_files_when_the_system_runs_out(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    paths = [tmp_path / f"{number}.tar" for number in range(40)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes(10) + bytes([number]))
    used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 20
    with Reader() as reader:
        assert reader._most > len(paths)
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
        try:
            for number, path in enumerate([*paths, *reversed(paths)]):
                member = Member("k", "n", "s", 0, str(path), 10, 1, path.stat().st_mtime_ns)
                assert reader.read(member) == bytes([min(number, 79 - number)])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def rejected(out):
    with open(out / "rejected.csv", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


@pytest.fixture
def unusual(own_folders, make_jpeg):
    """Provide class folders with PNG and CMYK named JPEG, truncated, empty, invalid, other and hidden files."""
    folder = own_folders / "train" / "n02690373"
    (folder / "n02690373_101.JPEG").write_bytes(make_jpeg(1, form="PNG"))
    (folder / "n02690373_102.JPEG").write_bytes(make_jpeg(2, mode="CMYK"))
    (folder / "n02690373_103.JPEG").write_bytes(make_jpeg(3, (60, 60))[:-40])
    (folder / "n02690373_104.JPEG").write_bytes(b"")
    (folder / "n02690373_105.JPEG").write_bytes(b"not an image")
    (folder / "notes.txt").write_text("x")
    (folder / ".DS_Store").write_text("x")
    return own_folders


def test_unusual_images_are_converted_or_rejected_with_the_reason(unusual, tmp_path, through_webdataset):
    prepare(unusual, tmp_path / "set", **ALL)
    samples = {sample["__key__"]: sample for sample in through_webdataset(tmp_path / "set")}
    changes = {key: json.loads(sample["json"]).get("change") for key, sample in samples.items()}
    assert {key: change for key, change in changes.items() if change} == {
        "n02690373_101": "PNG to JPEG, quality 95",
        "n02690373_102": "CMYK to JPEG, quality 95",
    }
    assert all(make_ready(sample["jpg"], check="decode").change is None for sample in samples.values())
    assert rejected(tmp_path / "set") == [
        ("n02690373/n02690373_103.JPEG", "the JPEG is truncated: it has no end marker"),
        ("n02690373/n02690373_104.JPEG", "the file is empty"),
        (
            "n02690373/n02690373_105.JPEG",
            "it cannot be decoded: it must be one of JPEG, PNG, GIF, BMP, TIFF, WEBP",
        ),
        ("n02690373/notes.txt", "not the name of an image (.JPEG, .jpg, .png, .webp)"),
    ]
    assert len(samples) == 6 * 19 + 2


def test_strict_refuses_a_bad_image_and_leaves_no_files(unusual, tmp_path):
    with pytest.raises(ConvRNNError, match=r"bad image n02690373/n02690373_10\d\.JPEG in .*without --strict"):
        prepare(unusual, tmp_path / "set", strict=True, **ALL)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("form", ["class_folders", "tar_of_tars"])
@pytest.mark.parametrize("change", ["longer", "newer", "gone"])
def test_a_source_that_changes_after_planning_is_an_error(
    form, change, request, tmp_path, monkeypatch, shared_copy
):
    source = shared_copy(request.getfixturevalue(form))
    victim = source if source.is_file() else source / "train" / "n02690373" / "n02690373_1.JPEG"

    class Changed(copying_module.Reader):
        def __enter__(self):
            if change == "gone":
                victim.unlink()
            elif change == "longer":
                stat = victim.stat()
                victim.write_bytes(victim.read_bytes() + b"\0")
                os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns + (form == "tar_of_tars")))
            else:
                os.utime(victim, ns=(0, victim.stat().st_mtime_ns + 1))
            return super().__enter__()

    monkeypatch.setattr(copying_module, "Reader", Changed)
    with pytest.raises(ConvRNNError, match=r"has changed since it was listed|No such file"):
        prepare(source, tmp_path / "set", **ALL)
    assert not (tmp_path / "set").exists()


@pytest.fixture
def shared_copy(tmp_path):

    def copy(source):
        if source.is_dir():
            return Path(shutil.copytree(source, tmp_path / "source"))
        return Path(shutil.copy2(source, tmp_path / "source.tar"))

    return copy
