import csv
import errno
import fcntl
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from convrnn_data import CATEGORIES, ConvRNNError, open_set, prepare
from convrnn_data.imagenet import copying as copying_module
from convrnn_data.shards.images import make_ready

ALL = {"images": "all", "val": 0, "workers": 1}


def rejected(out):
    with open(out / "rejected.csv", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def test_the_real_photographs(shared, tmp_path, through_webdataset):
    out = tmp_path / "new" / "set"
    prepared = prepare(shared / "imagenet-sample", out, **ALL)
    assert sum(prepared.counts["train"].values()) == 60
    originals = {path.stem: path.read_bytes() for path in (shared / "imagenet-sample").rglob("*.JPEG")}
    samples = through_webdataset(out)
    assert len(samples) == 60
    for sample in samples:
        notes = json.loads(sample["json"])
        assert sample["jpg"] == originals[sample["__key__"]]
        assert CATEGORIES[int(sample["cls"])] == notes["category"]
        assert notes["source"] == f"{sample['__key__']}.JPEG"
        assert "change" not in notes


def test_the_tars_are_plain(class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", **ALL)
    path = tmp_path / "set" / "train" / "000000.tar"
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        assert {(m.type, m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
            (tarfile.REGTYPE, 0, 0, 0, "", "", 0o644)
        }
        assert not any(m.pax_headers for m in members)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as again:
            for member in members:
                again.addfile(member, tar.extractfile(member))
    assert out.getvalue() == path.read_bytes()  # tarfile itself would have written just that


def test_the_set_says_nothing_of_this_machine(class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", **ALL)
    for path in (tmp_path / "set").rglob("*.json"):
        text = path.read_text()
        assert str(class_folders) not in text
        assert str(tmp_path) not in text
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [
        "README.md",
        "manifest.json",
        "rejected.csv",
        "split.json",
        "train",
    ]


def test_counts_in_the_manifest_are_those_of_the_shards(class_folders, tmp_path, through_webdataset):
    prepare(class_folders, tmp_path / "set", images="all", val=0.3, workers=1, shard_size=20)
    prepared = open_set(tmp_path / "set")
    for split in ("train", "val"):
        labels = [int(sample["cls"]) for sample in through_webdataset(prepared.path, split)]
        assert prepared.manifest["counts"][split] == {
            name: labels.count(at) for at, name in enumerate(CATEGORIES)
        }


@pytest.fixture
def odd(own_folders, make_jpeg):
    """Folders with every oddity: PNG and CMYK under JPEG's name, cut, empty, garbage, a note, a hidden file."""
    folder = own_folders / "train" / "n02690373"
    (folder / "n02690373_101.JPEG").write_bytes(make_jpeg(1, form="PNG"))
    (folder / "n02690373_102.JPEG").write_bytes(make_jpeg(2, mode="CMYK"))
    (folder / "n02690373_103.JPEG").write_bytes(make_jpeg(3, (60, 60))[:-40])
    (folder / "n02690373_104.JPEG").write_bytes(b"")
    (folder / "n02690373_105.JPEG").write_bytes(b"no picture at all")
    (folder / "notes.txt").write_text("x")
    (folder / ".DS_Store").write_text("x")
    return own_folders


def test_odd_images_are_repaired_or_rejected_with_the_reason(odd, tmp_path, through_webdataset):
    prepare(odd, tmp_path / "set", **ALL)
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


def test_strict_makes_a_bad_image_an_error_and_leaves_nothing(odd, tmp_path):
    with pytest.raises(ConvRNNError, match=r"bad image n02690373/n02690373_10\d\.JPEG in .*without --strict"):
        prepare(odd, tmp_path / "set", strict=True, **ALL)
    assert not (tmp_path / "set").exists()


def test_resize_is_noted(class_folders, tmp_path, through_webdataset):
    prepare(class_folders, tmp_path / "set", resize=12, **ALL)
    table = open_set(tmp_path / "set").table("train")
    assert set(map(min, zip(table.widths.tolist(), table.heights.tolist(), strict=True))) == {12}
    notes = [json.loads(sample["json"]) for sample in through_webdataset(tmp_path / "set")]
    assert all(note["change"].startswith("shrunk from ") for note in notes)


def test_allow_missing_lists_what_is_missing(class_folders, tmp_path):
    prepared = prepare(class_folders, tmp_path / "set", workers=1, allow_missing=True)
    there = sum(sum(row.values()) for row in prepared.counts.values())
    assert prepared.rejected == len(rejected(tmp_path / "set")) == 213_555 - there
    assert {reason for _, reason in rejected(tmp_path / "set")} == {"listed, but not in the source"}


def test_a_complete_set_is_left_alone(class_folders, tmp_path, digests):
    prepare(class_folders, tmp_path / "set", **ALL)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    again = prepare(class_folders, tmp_path / "set", **ALL)
    assert (again.written, again.kept, again.complete) == (0, 1, True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")} == before


def test_another_plan_is_refused_and_says_what_differs(class_folders, tmp_path, digests):
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


def test_a_full_disk_is_one_clear_error(class_folders, tmp_path):
    """The system's limit on the size of a file stands for the disk's end: both make write() fail halfway."""
    script = (
        "import sys; from pathlib import Path; from convrnn_data import prepare\n"
        f"prepare(Path({str(class_folders)!r}), Path(sys.argv[1]), **{ALL!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "set")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert "ConvRNNError: cannot write" in done.stderr
    assert "000000.tar: File too large" in done.stderr
    assert not (tmp_path / "set").exists()


def test_no_space_left_keeps_whole_shards_and_goes_on(class_folders, tmp_path, monkeypatch, digests):
    prepare(class_folders, tmp_path / "reference", shard_size=20, **ALL)
    out, replace = tmp_path / "set", os.replace

    def full(source, target):
        if Path(target).name == "000003.tar":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(
            ConvRNNError, match=r"000003\.tar: No space left on device\. Make room .*run the same"
        ):
            prepare(class_folders, out, shard_size=20, **ALL)
    names = sorted(path.name for path in (out / "train").iterdir())
    assert names == ["000000.json", "000000.tar", "000001.json", "000001.tar", "000002.json", "000002.tar"]
    assert prepare(class_folders, out, shard_size=20, **ALL).kept == 3
    assert digests(out) == digests(tmp_path / "reference")


def test_too_little_space_is_said_before_anything_is_written(class_folders, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("convrnn_data.imagenet.preparing.shutil.disk_usage", lambda path: usage)
    with pytest.raises(ConvRNNError, match=r"needs 0\.\d{3} MB more, and the disk has 0\.001 MB left"):
        prepare(class_folders, tmp_path / "set", **ALL)
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
    import shutil

    def copy(source):
        if source.is_dir():
            return Path(shutil.copytree(source, tmp_path / "source"))
        return Path(shutil.copy2(source, tmp_path / "source.tar"))

    return copy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_clear_error(class_folders, tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(ConvRNNError, match=r"cannot make .*set: Permission denied"):
            prepare(class_folders, tmp_path / "set", **ALL)
    finally:
        tmp_path.chmod(0o755)


def test_a_name_taken_by_a_file_is_one_clear_error(class_folders, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "set"):
        with pytest.raises(ConvRNNError, match=r"cannot make .*: .*(got a file|file is a file, not a folder)\. Choose another name"):
            prepare(class_folders, out, **ALL)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_index_says_where_the_bytes_are(class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", **ALL)
    shard = tmp_path / "set" / "train" / "000000.tar"
    index, data = json.loads(shard.with_suffix(".json").read_text()), shard.read_bytes()
    assert index["sha256 of the tar"] == hashlib.sha256(data).hexdigest()
    columns = index["samples"]
    for key, offset, size in zip(columns["keys"], columns["offsets"], columns["sizes"], strict=True):
        original = class_folders / "train" / key.split("_")[0] / f"{key}.JPEG"
        assert data[offset : offset + size] == original.read_bytes()
