"""ILSVRC's validation images as a split: layouts, labels, and the origin recorded in the set."""

import csv
import gzip
import io
import json
import re
import shutil
import tarfile

import pytest
from imagenet_files import LABELS, OUTSIDE, SYNSETS, WANTED, devkit, name_of, write
from typer.testing import CliRunner

from convrnn_data import ConvRNNError, open_set, prepare, verify
from convrnn_data.categories import shipped_lists
from convrnn_data.cli import app
from convrnn_data.imagenet.validation import find_validation

ALL = {"images": "all", "workers": 1}


@pytest.fixture(scope="module")
def photographs(make_jpeg):
    return {name_of(number): make_jpeg(5000 + number, (30 + number, 40)) for number in LABELS}


def tar_of(path, members):
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def archive(photographs, tmp_path_factory):
    return tar_of(tmp_path_factory.mktemp("val") / "ILSVRC2012_img_val.tar", photographs)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "synsets.txt"
    path.write_text("\n".join(SYNSETS) + "\n")
    return path


@pytest.fixture(
    params=[
        "archive",
        "archive's folder",
        "flat",
        "val",
        "kaggle",
        "class folders",
        "class tar",
        "suffix",
        "tar.gz",
    ]
)
def images(request, tmp_path, photographs, archive):
    """Provide the images in every layout, with labels unless the layout includes the synsets."""
    if request.param.startswith("archive"):
        return (archive if request.param == "archive" else archive.parent), False
    root = tmp_path / "images"
    if request.param == "tar.gz":
        (tmp_path / "val_images.tar.gz").write_bytes(gzip.compress(archive.read_bytes()))
        return tmp_path / "val_images.tar.gz", False
    below = {"val": "val", "kaggle": "ILSVRC/Data/CLS-LOC/val"}.get(request.param, "")
    own = request.param in ("class folders", "class tar", "suffix")
    if request.param == "class tar":
        root.mkdir()
        members = {f"val/{LABELS[int(name[15:23])]}/{name}": data for name, data in photographs.items()}
        return tar_of(root / "val.tar", members), own
    for name, data in photographs.items():
        synset = LABELS[int(name[15:23])]
        path = root / below / (synset if request.param == "class folders" else "") / name
        if request.param == "suffix":
            path = path.with_stem(f"{path.stem}_{synset}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root, own


def test_every_layout_gives_the_same_shards(
    images, archive, lines, class_folders, tmp_path, through_webdataset, photographs
):
    source, own = images
    out = tmp_path / "set"
    prepare(class_folders, out, validation=source, validation_labels=None if own else lines, **ALL)
    samples = {sample["__key__"]: sample for sample in through_webdataset(out, "val")}
    wanted = {number for number, synset in LABELS.items() if synset in WANTED}
    assert samples.keys() == {name_of(number)[:-5] for number in wanted}
    for key, sample in samples.items():
        notes = json.loads(sample["json"])
        assert sample["jpg"] == photographs[f"{key}.JPEG"]
        assert notes["synset"] == LABELS[int(key[-8:])]
        assert int(sample["cls"]) == shipped_lists().label(notes["synset"])
        assert notes["split"] == "val"
    reference = tmp_path / "reference"
    prepare(class_folders, reference, validation=archive, validation_labels=lines, **ALL)
    with_synset = any("_n0" in path.name for path in source.rglob("*.JPEG"))  # Shards contain the file name.
    assert (open_set(out).plan_hash == open_set(reference).plan_hash) == (not with_synset)


@pytest.mark.parametrize("name", ["ILSVRC2012_devkit_t12", "LOC_val_solution.csv"])
def test_labels_beside_the_images_are_found(name, archive, tmp_path):
    shutil.copy(archive, tmp_path)
    if name.endswith(".csv"):
        (tmp_path / name).write_text("".join(f"{name_of(n)[:-5]},{s} 1 2 3 4\n" for n, s in LABELS.items()))
    else:
        devkit(tmp_path / name / "data")
    for path in (tmp_path, tmp_path / archive.name):
        found = find_validation(path, WANTED)
        assert found.summary == (
            "validation archive: 20 images, 16 of the 16 categories (a part of ILSVRC's 50,000 validation images, "
            f"labels from {name})"
        )


@pytest.fixture
def common(archive, lines):
    return {"validation": archive, "validation_labels": lines, **ALL}


def test_training_images_are_not_split_unless_requested(class_folders, tmp_path, common):
    counts = prepare(class_folders, tmp_path / "default", **common).counts
    assert sum(counts["train"].values()) == 6 * 19
    assert sum(counts["val"].values()) == 16
    prepare(class_folders, tmp_path / "both", val=0.5, **common)
    assert open_set(tmp_path / "both").origins("val") == {"training": 3 * 19, "validation": 16}
    prepare(class_folders, tmp_path / "test", validation_split="test", **common)
    prepared = open_set(tmp_path / "test")
    assert prepared.splits == ("train", "val", "test")
    plain = prepare(class_folders, tmp_path / "plain", **ALL)
    assert prepared.origins("val") == {"training": sum(plain.counts["val"].values())}
    assert prepared.origins("test") == {"validation": 16}


def test_a_set_records_the_origin_of_its_splits(class_folders, tmp_path, common):
    prepare(class_folders, tmp_path / "set", **common)
    prepared = open_set(tmp_path / "set")
    assert prepared.manifest["origins"] == {"train": {"training": 114}, "val": {"validation": 16}}
    assert prepared.manifest["settings"]["validation"] == "val"
    assert prepared.near_duplicates is None
    split = json.loads((tmp_path / "set/split.json").read_text())
    assert split["origins"] == prepared.manifest["origins"]
    assert verify(tmp_path / "set").problems == ()


def test_a_set_of_an_older_version_is_read(class_folders, tmp_path):
    """Older manifests have no origins; all images are training images."""
    from convrnn_data.base.checksummed_json import seal

    prepare(class_folders, tmp_path / "set", val=0.5, **ALL)
    manifest = dict(open_set(tmp_path / "set").manifest)
    for name in ("origins", "near_duplicates", "sha256"):
        manifest.pop(name, None)
    (tmp_path / "set/manifest.json").write_bytes(seal(manifest, indent=1))
    prepared = open_set(tmp_path / "set")
    assert prepared.origins("val") == {"training": 57}
    assert prepared.near_duplicates is None
    assert prepare(class_folders, tmp_path / "set", val=0.5, **ALL).written == 0


def test_bytes_do_not_depend_on_workers_tasks_or_interruptions(class_folders, tmp_path, common, digests):
    prepare(class_folders, tmp_path / "one", shard_size=10, **common)
    prepare(class_folders, tmp_path / "two", shard_size=10, **{**common, "workers": 2})
    for task in ("1/2", "2/2"):
        prepare(class_folders, tmp_path / "tasks", shard_size=10, task=task, **common)
    verify(tmp_path / "tasks")
    (tmp_path / "two/val/000000.tar").unlink()
    assert prepare(class_folders, tmp_path / "two", shard_size=10, **common).written == 1
    assert digests(tmp_path / "one") == digests(tmp_path / "two") == digests(tmp_path / "tasks")


def test_a_split_file_takes_precedence_for_the_images_it_names(class_folders, tmp_path, common):
    prepare(class_folders, tmp_path / "first", val=0.5, **common)
    split = tmp_path / "first/split.json"
    prepare(class_folders, tmp_path / "again", split_file=split, **common)
    assert json.loads((tmp_path / "again/split.json").read_text()) == json.loads(split.read_text())
    prepare(class_folders, tmp_path / "plain", val=0.5, **ALL)
    prepare(class_folders, tmp_path / "joined", split_file=tmp_path / "plain/split.json", **common)
    assert open_set(tmp_path / "joined").origins("val") == {"training": 57, "validation": 16}
    with pytest.raises(ConvRNNError, match="names 16 images that do not exist"):
        prepare(class_folders, tmp_path / "without", split_file=split, **ALL)


def test_a_bad_validation_image_is_left_out_with_the_reason(class_folders, tmp_path, photographs, lines):
    broken = {**photographs, name_of(1): photographs[name_of(1)][:-30], name_of(2): b""}
    archive = tar_of(tmp_path / "val.tar", broken)
    out = tmp_path / "set"
    prepare(class_folders, out, validation=archive, validation_labels=lines, **ALL)
    with open(out / "rejected.csv", newline="") as file:
        assert list(csv.reader(file))[1:] == [
            [f"n02132136/{name_of(2)}", "the file is empty"],
            [f"n02690373/{name_of(1)}", "the JPEG is truncated: it has no end marker"],
        ]
    assert open_set(out).origins("val") == {"validation": 14}


def test_another_validation_split_changes_the_plan(class_folders, tmp_path, common):
    prepare(class_folders, tmp_path / "set", val=0, **common)
    with pytest.raises(ConvRNNError, match="another plan: validation must be val, got test"):
        prepare(class_folders, tmp_path / "set", val=0, validation_split="test", **common)
    with pytest.raises(ConvRNNError, match="another plan: validation must be val, got None"):
        prepare(class_folders, tmp_path / "set", val=0, **ALL)


BAD_IMAGES = {
    "nothing there": (lambda root, _: root / "none", "No such file"),
    "an empty folder": (lambda root, _: root, "holds no ILSVRC validation images.*got nothing"),
    "other images": (lambda root, _: write(root / "a.JPEG", b"x").parent, r"got a\.JPEG"),
    "no tar": (lambda root, _: write(root / "val.tar", b"x" * 2000), "is not a tar"),
    "a cut tar": (lambda root, tar: write(root / "val.tar", tar.read_bytes()[:20_000]), "is truncated"),
    "none of the categories": (
        lambda root, _: write(root / OUTSIDE / name_of(5), b"x").parents[1],
        "no validation images of the 16 categories, got 1 of other classes",
    ),
    "one image twice": (
        lambda root, _: [write(root / synset / name_of(1), b"x").parents[1] for synset in WANTED].pop(),
        "holds ILSVRC2012_val_00000001.JPEG 4 times: each",
    ),
    "folder and labels differ": (
        lambda root, _: write(root / "n02132136" / name_of(1), b"x").parents[1],
        "must have one synset, got n02132136 by its folder or name and n02690373 by",
    ),
    "more images than labels": (
        lambda root, _: write(root / name_of(21), b"x").parent,
        "no label for ILSVRC2012_val_00000021.JPEG in .*: it has 20 labels, the highest for image 00000020",
    ),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_invalid_images_are_refused(case, tmp_path, archive, lines, class_folders):
    make, expected = BAD_IMAGES[case]
    root = tmp_path / "images"
    root.mkdir()
    with pytest.raises(ConvRNNError, match=expected):
        prepare(
            class_folders, tmp_path / "set", validation=make(root, archive), validation_labels=lines, **ALL
        )
    assert not (tmp_path / "set").exists()


def test_missing_labels_are_requested(archive, class_folders, tmp_path):
    with pytest.raises(
        ConvRNNError, match=r"cannot find the labels .* next to them\. Pass --validation-labels"
    ):
        prepare(class_folders, tmp_path / "set", validation=archive, **ALL)


@pytest.mark.parametrize("option", ["validation_labels", "exclude_stimuli"])
def test_options_need_validation_images(option, class_folders, tmp_path):
    with pytest.raises(ConvRNNError, match=r"need --validation. Pass --validation, or remove"):
        prepare(class_folders, tmp_path / "set", **{option: tmp_path}, **ALL)


def test_categories_without_a_validation_image_are_reported_with_advice(class_folders, tmp_path, common):
    notices = []
    prepare(class_folders, tmp_path / "set", notice=notices.append, **common)
    assert notices == [
        "ILSVRC's validation images give no image of 13 of 16 categories to 'val' (bicycle has 6 for training). "
        "--val 0.09 gives at least one image a category"
    ]
    prepare(class_folders, tmp_path / "both", val=0.09, notice=notices.append, **common)
    assert len(notices) == 1


def test_the_command_prints_what_was_found_and_not_compared(archive, lines, class_folders, tmp_path):
    command = ["prepare", str(class_folders), str(tmp_path / "set"), "--images", "all", "--workers", "1"]
    command += ["--validation", str(archive), "--validation-labels", str(lines)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    printed = done.stdout.splitlines()
    assert printed[1].startswith(
        "Found validation archive: 20 images, 16 of the 16 categories (a part of ILSVRC's"
    )
    assert printed[2].startswith("Not checked against the human stimuli")
    assert re.search(r"114 train, 16 val", printed[-1])
