"""Every layout of ImageNet gives the same set; other inputs are identified in the error."""

import bz2
import csv
import gzip
import io
import lzma
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from imagenet_files import tar

from convrnn_data import CATEGORIES, ConvRNNError, prepare
from convrnn_data.categories import shipped_lists
from convrnn_data.imagenet.sources import find_source

ALL = {"images": "all", "val": 0.3, "workers": 1}


APPLE = b"\0\5\26\7\0\2\0\0Mac OS X"


COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.fixture(scope="module")
def reference(class_folders, tmp_path_factory, digests):
    out = tmp_path_factory.mktemp("reference") / "set"
    prepare(class_folders, out, **ALL)
    return digests(out)


def classes(folder):
    return {
        one.name: [(path.name, path.read_bytes()) for path in sorted(one.iterdir())]
        for one in sorted((folder / "train").iterdir())
    }


def kaggle(folders, root):
    place = root / "ILSVRC" / "Data" / "CLS-LOC"
    place.mkdir(parents=True)
    shutil.copytree(folders / "train", place / "train")
    (root / "ILSVRC" / "ImageSets").mkdir()
    (root / "LOC_synset_mapping.csv").write_text("x")
    return root


def kaggle_ilsvrc(folders, root):
    return kaggle(folders, root) / "ILSVRC"


def kaggle_data(folders, root):
    return kaggle(folders, root) / "ILSVRC" / "Data"


def images_folders(folders, root):
    for name, files in classes(folders).items():
        (root / "train" / name / "images").mkdir(parents=True)
        for image, data in files:
            (root / "train" / name / "images" / image).write_bytes(data)
    return root


def own_folders_beside_classes(folders, root):
    shutil.copytree(folders / "train", root, dirs_exist_ok=True)
    (root / "Data").mkdir()
    (root / "ILSVRC").mkdir()
    return root


def hidden_files(folders, root):
    shutil.copytree(folders / "train", root, dirs_exist_ok=True)
    (root / "._n02690373").write_bytes(APPLE)
    (root / "n02690373" / "._n02690373_1.JPEG").write_bytes(APPLE)
    (root / "n02690373" / "Thumbs.db").write_bytes(b"x")
    (root / "n02690373" / "@eaDir").mkdir()
    return root


def tar_of_folders(folders, root, above="train/", more=(), images=""):
    files = [(f"{above}._n02690373", APPLE), *more]
    for name, rows in classes(folders).items():
        files += [(f"{above}{name}/{images}._{image}", APPLE) for image, _ in rows]
        files += [(f"{above}{name}/{images}{image}", data) for image, data in rows]
    (root / "imagenet.tar").write_bytes(tar(files))
    return root / "imagenet.tar"


def tar_of_folders_dot(folders, root):
    return tar_of_folders(folders, root, "./")


def tar_of_images_folders(folders, root):
    return tar_of_folders(folders, root, "tiny/train/", images="images/")


def tar_of_train_and_val(folders, root):
    more = [
        ("ILSVRC/Annotations/CLS-LOC/train/n02690373/n02690373_1.xml", b"<x/>"),
        ("ILSVRC/Data/CLS-LOC/val/n02690373/ILSVRC2012_val_00000001.JPEG", b"not of the training set"),
    ]
    return tar_of_folders(folders, root, "ILSVRC/Data/CLS-LOC/train/", more)


def tar_of_tars(folders, root, ending="tar", pack=lambda data: data, apple=True):
    files = [("._n02690373.tar", APPLE), (".DS_Store", APPLE)] if apple else []
    files += [(f"./{name}.{ending}", pack(tar(rows))) for name, rows in classes(folders).items()]
    (root / "ILSVRC2012_img_train.tar").write_bytes(tar(files))
    return root / "ILSVRC2012_img_train.tar"


def compressed(how):
    def make(folders, root):
        path = tar_of_tars(folders, root)
        packed = root / f"outer.tar.{how}"
        packed.write_bytes(COMPRESS[how](path.read_bytes()))
        path.unlink()
        return packed

    return make


def gz_named_tar_in_its_folder(folders, root):
    path = tar_of_tars(folders, root)
    path.write_bytes(gzip.compress(path.read_bytes()))
    return root


def official_gz_in_its_folder(folders, root):
    path = tar_of_tars(folders, root)
    Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return root


def inner_gz(folders, root):
    return tar_of_tars(folders, root, "tar.gz", gzip.compress)


def inner_gz_named_tar(folders, root):
    return tar_of_tars(folders, root, "tar", gzip.compress)


def class_tars(ending, pack):
    def make(folders, root):
        (root / "._n02690373.tar").write_bytes(APPLE)
        for name, rows in classes(folders).items():
            (root / f"{name}{ending}").write_bytes(
                pack(tar([(f"{name}/{image}", data) for image, data in rows]))
            )
        return root

    return make


def folders_tgz(folders, root):
    path = tar_of_folders(folders, root)
    packed = root / "train.tgz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


LAYOUTS = {
    "Kaggle's root": kaggle,
    "Kaggle's ILSVRC": kaggle_ilsvrc,
    "Kaggle's Data": kaggle_data,
    "images/ below the class": images_folders,
    "hidden files": hidden_files,
    "other folders beside classes": own_folders_beside_classes,
    "tar of folders": tar_of_folders,
    "tar of ./folders": tar_of_folders_dot,
    "tar of folders with images/": tar_of_images_folders,
    "tar of all of Kaggle's": tar_of_train_and_val,
    "tar of tars with ._ files": tar_of_tars,
    "outer.tar.gz": compressed("gz"),
    "outer.tar.bz2": compressed("bz2"),
    "outer.tar.xz": compressed("xz"),
    "gzip named .tar": gz_named_tar_in_its_folder,
    "the official tar, gzipped": official_gz_in_its_folder,
    "inner .tar.gz": inner_gz,
    "inner gzip named .tar": inner_gz_named_tar,
    "class tars": class_tars(".tar", bytes),
    "class .tar.gz": class_tars(".tar.gz", gzip.compress),
    "class .tgz": class_tars(".tgz", gzip.compress),
    "class tars without ending": class_tars("", bytes),
    "tar of folders, .tgz": folders_tgz,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_bytes(name, class_folders, tmp_path, reference, digests):
    (tmp_path / "source").mkdir()
    root = LAYOUTS[name](class_folders, tmp_path / "source")
    notices = []
    prepared = prepare(root, tmp_path / "out" / "set", notice=notices.append, **ALL)
    assert digests(tmp_path / "out" / "set") == reference
    assert os.listdir(tmp_path / "out") == ["set"]  # unpacked files are removed
    assert "21 synsets, 126 images" in prepared.source
    unpacked = any(word in name for word in ("gz", "bz2", "xz", "gzip"))
    assert ("compressed" in prepared.source) == unpacked
    assert len(notices) == unpacked
    assert all("compressed" in notice and "every run" in notice for notice in notices)


def rename(ending, suffix=""):
    def change(folder, which):
        for path in sorted(folder.rglob("*.JPEG"))[which]:
            name = path.stem + (f"_{path.stem[:9]}" if suffix else "")
            path.rename(path.with_name(name + ending))

    return change


@pytest.fixture(scope="module")
def lists(class_folders, tmp_path_factory):
    """Provide lists of half of the existing images, and of two missing ones."""
    folder = tmp_path_factory.mktemp("lists")
    names = {category: [] for category in CATEGORIES}
    for synset, files in classes(class_folders).items():
        if category := shipped_lists().categories.get(synset):
            names[category] += [name for name, _ in files[::2]]
    names["bear"] += ["n02132136_7777.JPEG", "n02132136_7778.JPEG"]
    for category, rows in names.items():
        (folder / f"{category}.txt").write_text("\n".join(rows))
    return folder


@pytest.mark.parametrize("ending", [".jpg", ".JPG", ".jpeg", ".Jpeg", ".png", ".PNG", ".webp", ".WebP"])
def test_listed_images_are_identified_by_key(ending, own_folders, lists, tmp_path):
    """Half of the files have another extension; the same images are missing."""
    settings = {"workers": 1, "allow_missing": True, "image_names": lists}
    prepare(own_folders, tmp_path / "reference", **settings)
    rename(ending)(own_folders, slice(None, None, 2))
    prepare(own_folders, tmp_path / "set", **settings)
    assert [name for name, _ in rejected(tmp_path / "set")] == [
        "n02132136/n02132136_7777.JPEG",
        "n02132136/n02132136_7778.JPEG",
    ]
    assert keys(tmp_path / "set") == keys(tmp_path / "reference")
    assert rejected(tmp_path / "set") == rejected(tmp_path / "reference")


def keys(out):
    return sorted((out / "split.json").read_text().splitlines())[:-1]


def rejected(out):
    with open(out / "rejected.csv", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


@pytest.mark.parametrize("which", [slice(None), slice(None, None, 3)])
@pytest.mark.parametrize("ending", [".JPEG", ".jpg"])
@pytest.mark.parametrize("images", ["listed", "all"])
def test_names_that_end_with_the_class_are_recognized(which, ending, images, own_folders, lists, tmp_path):
    settings = {"workers": 1, "allow_missing": True, "images": images, "image_names": lists}
    prepare(own_folders, tmp_path / "reference", **settings)
    rename(ending, "class")(own_folders, which)
    prepare(own_folders, tmp_path / "set", **settings)
    assert keys(tmp_path / "set") == keys(tmp_path / "reference")
    assert rejected(tmp_path / "set") == rejected(tmp_path / "reference")


@pytest.mark.parametrize("images", ["listed", "all"])
@pytest.mark.parametrize("name", ["n02690373_1.jpg", "n02690373_1.jpeg", "n02690373_1_n02690373.JPEG"])
def test_two_files_of_one_key_are_an_error_that_names_both(name, images, own_folders, lists, tmp_path):
    folder = own_folders / "train" / "n02690373"
    listed = next(path for path in sorted(folder.iterdir()) if path.stem == "n02690373_1")
    shutil.copy(listed, folder / name)
    with pytest.raises(ConvRNNError) as error:
        prepare(
            own_folders, tmp_path / "set", workers=1, images=images, allow_missing=True, image_names=lists
        )
    assert str(listed) in str(error.value)
    assert str(folder / name) in str(error.value)


def test_a_name_that_states_another_class_is_left_out(own_folders, tmp_path):
    folder = own_folders / "train" / "n02690373"
    (folder / "n02690373_8.JPEG").rename(folder / "n02690373_8_n02085782.JPEG")
    prepare(own_folders, tmp_path / "set", **ALL)
    assert rejected(tmp_path / "set") == [
        (
            "n02690373/n02690373_8_n02085782.JPEG",
            "the synset in the name differs from the synset of the class",
        )
    ]


def dead(path):
    path.symlink_to("/nowhere")


def pipe(path):
    os.mkfifo(path)


def text(path):
    path.write_text("notes\n" * 300)


@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("n02123394", dead, "n02123394: No such file or directory. .* is a link to /nowhere"),
        ("n02123394", text, "n02123394 is neither a class folder nor a class tar: got a text file"),
        ("n02123394", pipe, "n02123394 is neither a class folder nor a class tar: got something else"),
        ("n02123394.tar", dead, "is a link to /nowhere, which does not exist"),
        (
            "n02123394.tar",
            Path.mkdir,
            "n02123394.tar is neither a class folder nor a class tar: got a folder",
        ),
        (
            "n02123394",
            lambda path: path.symlink_to(path.name),
            "Too many levels of symbolic links.*leads back to itself",
        ),
        ("n02690373/n02690373_500.JPEG", dead, "n02690373_500.JPEG: No such file.* is a link to /nowhere"),
        ("n02690373/n02690373_500.JPEG", Path.mkdir, "is named like an image but is not a regular file"),
        ("n02690373/n02690373_500.JPEG", pipe, "is named like an image but is not a regular file"),
        (
            "n02690373/images",
            lambda path: shutil.copytree(path.parent, path),
            "holds images, such as .*, and a folder",
        ),
    ],
)
def test_entries_that_are_neither_classes_nor_images_are_errors(name, make, expected, own_folders, tmp_path):
    make(own_folders / "train" / name)
    with pytest.raises(ConvRNNError, match=expected):
        prepare(own_folders, tmp_path / "set", **ALL)
    assert not (tmp_path / "set").exists()


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("train/n02690373/n02690373_1.JPEG", b"x")
    return out.getvalue()


FOREIGN = {
    "train.zip": (zipped(), "a zip archive. Unpack it with `unzip"),
    "train-00000-of-00294.parquet": (
        b"PAR1" + bytes(800) + b"PAR1",
        "a Parquet file.*Export the images to class",
    ),
    "imagenet-train.arrow": (b"ARROW1\0\0" + bytes(800), "an Arrow file"),
    "login.tar": (b"<!DOCTYPE html><html><title>Login</title></html>" * 40, r"a web page \(HTML\)"),
    "pointer.tar": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "x.tar.zst": (b"\x28\xb5\x2f\xfd" + bytes(800), "a Zstandard archive. Unpack it with `unzstd"),
    "short.tar": (b"", "an empty file"),
    "checkpoint.tar": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(700), "a PyTorch checkpoint"),
    "labels.tar.gz": (gzip.compress(b'{"a": 1}'), "it unpacks to JSON text"),
    "broken.tar.gz": (gzip.compress(os.urandom(90_000))[:50_000], "is damaged or truncated"),
    "flipped.tar.gz": (gzip.compress(bytes(90_000))[:-8] + bytes(8), "is damaged"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_formats_are_identified(name, tmp_path):
    data, expected = FOREIGN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConvRNNError, match=expected):
        prepare(tmp_path / name, tmp_path / "out" / "set", **ALL)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["train.zip", "train-00000-of-00294.parquet", "x.tar.zst"])
def test_archives_in_a_folder_are_identified(name, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("x")
    (tmp_path / "data" / name).write_bytes(FOREIGN[name][0])
    with pytest.raises(ConvRNNError, match=f"is not ImageNet: .*, got {name}, {FOREIGN[name][1]}"):
        find_source(tmp_path / "data")


def test_a_compressed_tar_is_refused_if_disk_space_is_insufficient(class_folders, tmp_path, monkeypatch):
    path = inner_gz(class_folders, tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(ConvRNNError, match=r"cannot unpack .*0\.000 MB left.*Make room"):
        prepare(path, tmp_path / "out" / "set", **ALL)
    assert sorted(os.listdir(tmp_path)) == ["ILSVRC2012_img_train.tar"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("make", [compressed("gz"), inner_gz])
def test_an_interruption_while_unpacking_leaves_no_files(make, error, class_folders, tmp_path):
    (tmp_path / "source").mkdir()
    path = make(class_folders, tmp_path / "source")

    def interrupt(what, done, total):
        if what.startswith(("Unpacking", "Listing")):
            raise error

    with pytest.raises(error):
        prepare(path, tmp_path / "new" / "out" / "set", report=interrupt, **ALL)
    assert sorted(os.listdir(tmp_path)) == ["source"]
    assert sorted(os.listdir(tmp_path / "source")) == [path.name]


def test_files_unpacked_by_a_killed_run_are_removed(class_folders, tmp_path):
    dead = tmp_path / f".set.unpacked.{os.uname().nodename}.999999999.tmp"
    dead.mkdir()
    (dead / "n02690373.tar").write_bytes(b"x")
    prepare(class_folders, tmp_path / "set", **ALL)
    assert os.listdir(tmp_path) == ["set"]
