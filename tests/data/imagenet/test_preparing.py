import csv
import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from convrnn_data import CATEGORIES, ConvRNNError, open_set, prepare

ALL = {"images": "all", "val": 0, "workers": 1}


def rejected(out):
    with open(out / "rejected.csv", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def test_photographs_are_prepared(shared, tmp_path, through_webdataset):
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


def test_the_set_does_not_depend_on_the_machine(class_folders, tmp_path):
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


def test_counts_in_the_manifest_agree_with_the_shards(class_folders, tmp_path, through_webdataset):
    prepare(class_folders, tmp_path / "set", images="all", val=0.3, workers=1, shard_size=20)
    prepared = open_set(tmp_path / "set")
    for split in ("train", "val"):
        labels = [int(sample["cls"]) for sample in through_webdataset(prepared.path, split)]
        assert prepared.manifest["counts"][split] == {
            name: labels.count(at) for at, name in enumerate(CATEGORIES)
        }


def test_resizing_is_recorded(class_folders, tmp_path, through_webdataset):
    prepare(class_folders, tmp_path / "set", resize=12, **ALL)
    table = open_set(tmp_path / "set").table("train")
    assert set(map(min, zip(table.widths.tolist(), table.heights.tolist(), strict=True))) == {12}
    notes = [json.loads(sample["json"]) for sample in through_webdataset(tmp_path / "set")]
    assert all(note["change"].startswith("shrunk from ") for note in notes)


def test_allow_missing_records_missing_images(class_folders, tmp_path):
    prepared = prepare(class_folders, tmp_path / "set", workers=1, allow_missing=True)
    there = sum(sum(row.values()) for row in prepared.counts.values())
    assert prepared.rejected == len(rejected(tmp_path / "set")) == 213_555 - there
    assert {reason for _, reason in rejected(tmp_path / "set")} == {"listed, but not in the source"}


def test_a_full_disk_is_an_error(class_folders, tmp_path):
    """A limit on file size simulates a full disk: both make write() fail halfway."""
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


def test_a_full_disk_keeps_complete_shards_for_the_next_run(class_folders, tmp_path, monkeypatch, digests):
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


def test_insufficient_disk_space_is_an_early_error(class_folders, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("convrnn_data.base.disk_space.shutil.disk_usage", lambda path: usage)
    with pytest.raises(ConvRNNError, match=r"needs 0\.\d{3} MB more, and the disk has 0\.001 MB left"):
        prepare(class_folders, tmp_path / "set", **ALL)
    assert not (tmp_path / "set").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_an_error(class_folders, tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(ConvRNNError, match=r"cannot make .*set: Permission denied"):
            prepare(class_folders, tmp_path / "set", **ALL)
    finally:
        tmp_path.chmod(0o755)
