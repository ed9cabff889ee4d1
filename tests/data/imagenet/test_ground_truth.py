import tarfile

import pytest
from imagenet_files import LABELS, SYNSETS, devkit, kit_of, name_of, write

from convrnn_data import ConvRNNError
from convrnn_data.imagenet.ground_truth import read_ground_truth


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "synsets.txt"
    path.write_text("\n".join(SYNSETS) + "\n")
    return path


@pytest.fixture(params=["text", "ids", "folder", "tar.gz", "csv", "words"])
def labels(request, tmp_path, lines):
    if request.param == "text":
        return lines
    if request.param == "csv":
        rows = [f"{name_of(n)[:-5]},{synset} 85 1 499 272 {synset} 1 2 3 4" for n, synset in LABELS.items()]
        (tmp_path / "solution.csv").write_text(
            "\n".join(["ImageId,PredictionString", *reversed(rows)]) + "\n"
        )
        return tmp_path / "solution.csv"
    if request.param == "words":
        (tmp_path / "val.txt").write_text("".join(f"{name_of(n)} {synset}\n" for n, synset in LABELS.items()))
        return tmp_path / "val.txt"
    kit = tmp_path / "ILSVRC2012_devkit_t12"
    devkit(kit / "data")
    if request.param == "tar.gz":
        with tarfile.open(tmp_path / "devkit.tar.gz", "w:gz") as tar:
            tar.add(kit, kit.name)
        return tmp_path / "devkit.tar.gz"
    return kit if request.param == "folder" else kit / "data" / "ILSVRC2012_validation_ground_truth.txt"


def test_every_format_gives_the_same_labels(labels):
    assert read_ground_truth(labels) == LABELS


BAD_LABELS = {
    "missing": (lambda root: root / "none.txt", "No such file"),
    "binary": (lambda root: write(root / "l", b"\xff\xfe\x00"), "must be UTF-8 text"),
    "empty": (lambda root: write(root / "l", ""), "must name images such as .*, got none"),
    "Caffe's numbers after names": (
        lambda root: write(root / "l", f"{name_of(1)} 65\n"),
        "must name images such as .*, got none",
    ),
    "a line of another form": (
        lambda root: write(root / "l", f"{name_of(1)},n02690373\nnothing\n"),
        "line 2 must name an image and its synset, got 'nothing'",
    ),
    "two synsets for an image": (
        lambda root: write(root / "l", f"{name_of(1)},n02690373\n{name_of(1)},n02132136\n"),
        "image 00000001 must have one synset, got n02690373 and n02132136",
    ),
    "a word among synsets": (lambda root: write(root / "l", "n02690373\ntench\n"), "line 2 must be a synset"),
    "no meta.mat": (
        lambda root: write(root / "l", "1\n2\n"),
        r"No such file or directory. Put the devkit's meta\.mat next to",
    ),
    "another meta.mat": (
        lambda root: kit_of(root, b"no matlab file"),
        r"meta\.mat is damaged, or not the devkit's",
    ),
    "a damaged archive": (lambda root: write(root / "l.tar.gz", b"\x1f\x8b\x08\x00damaged"), "is damaged"),
    "another archive": (
        lambda root: _archive(root),
        "the archive must hold ILSVRC2012_validation_ground_truth.txt",
    ),
    "an empty folder": (lambda root: root, "No such file"),
}


def _archive(root):
    write(root / "readme", "x")
    with tarfile.open(root / "other.tar.gz", "w:gz") as tar:
        tar.add(root / "readme", "readme")
    return root / "other.tar.gz"


@pytest.mark.parametrize("case", BAD_LABELS)
def test_invalid_labels_are_refused(case, tmp_path):
    make, expected = BAD_LABELS[case]
    with pytest.raises(ConvRNNError, match=expected) as caught:
        read_ground_truth(make(tmp_path))
    assert ("Give ILSVRC2012_devkit_t12" in str(caught.value)) == (case != "no meta.mat")


def test_an_id_without_synset_is_named(tmp_path):
    devkit(tmp_path / "data")
    truth = tmp_path / "data/ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n7\n")
    with pytest.raises(ConvRNNError, match=r"line 2 must be an ILSVRC2012_ID listed in meta\.mat, got '7'"):
        read_ground_truth(truth)
