import collections
import csv

import pytest

from convrnn_data import ConvRNNError, list_stimuli, open_set, reformat, verify
from convrnn_data.human.stimuli import CONDITIONS


def test_folders_have_the_layout_that_the_loader_reads(stimuli, tmp_path):
    done = reformat(stimuli, tmp_path / "new")
    expected = {
        f"{CONDITIONS[one.regime]}/{one.category}/{one.path.stem}_exit{one.block}.JPEG": one.path.read_bytes()
        for one in list_stimuli(stimuli)
    }
    found = {str(p.relative_to(tmp_path / "new")): p.read_bytes() for p in (tmp_path / "new").rglob("*.JPEG")}
    assert found == expected
    assert done.images == 90
    with open(tmp_path / "new" / "counts.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    stored = {
        (row["condition"], row["level"], int(row["block"]), row["category"]): int(row["images"])
        for row in rows
    }
    assert stored == collections.Counter(
        (CONDITIONS[one.regime], one.level, one.block, one.category) for one in list_stimuli(stimuli)
    )
    assert tuple((*place, images) for place, images in stored.items()) == done.counts


def test_shards_form_a_prepared_set(stimuli, tmp_path, through_webdataset):
    reformat(stimuli, tmp_path / "new", "shards")
    assert verify(tmp_path / "new").problems == ()
    opened = open_set(tmp_path / "new")
    assert set(opened.splits) == set(CONDITIONS.values())
    table = opened.table("noise_grayscale")
    assert all("." not in key for key in table.keys.tolist())
    assert len(table) == 30
    samples = through_webdataset(tmp_path / "new", "noise_grayscale")
    assert [sample["__key__"] for sample in samples] == table.keys.tolist()
    assert [sample["jpg"] for sample in samples] == table.read(range(30))
    assert [int(sample["cls"]) for sample in samples] == table.labels.tolist()


def test_existing_files_are_not_overwritten(stimuli, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("x")
    with pytest.raises(
        ConvRNNError, match=r"cannot make .*: it must be a new or empty folder, got a folder with files"
    ):
        reformat(stimuli, tmp_path / "new")
    assert (tmp_path / "new" / "mine").read_text() == "x"


def test_a_failed_reformat_leaves_nothing(stimuli, tmp_path, monkeypatch):
    def fail(counts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("convrnn_data.human.reformatting._format_counts", fail)
    for layout in ("folders", "shards"):
        with pytest.raises(ConvRNNError, match=r"No space left on device. Make room"):
            reformat(stimuli, tmp_path / "deep" / "new", layout)
        assert list(tmp_path.iterdir()) == []
