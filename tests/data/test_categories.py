import numpy as np
import pytest

from convrnn_data import CATEGORIES, ConvRNNError
from convrnn_data.categories import LABELS, pack, read_lists, shipped_lists, unpack

COUNTS = {
    "airplane": (1, 1013),
    "bear": (4, 4344),
    "bicycle": (2, 2391),
    "bird": (49, 57529),
    "boat": (5, 5301),
    "bottle": (7, 6559),
    "car": (3, 3507),
    "cat": (6, 6964),
    "chair": (4, 3359),
    "clock": (3, 2122),
    "dog": (109, 112023),
    "elephant": (2, 2355),
    "keyboard": (2, 1771),
    "knife": (1, 586),
    "oven": (1, 892),
    "truck": (3, 2839),
}


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_category_has_the_published_synsets_and_images(category):
    lists = shipped_lists()
    synsets = [synset for synset, name in lists.categories.items() if name == category]
    assert (len(synsets), sum(len(lists.numbers[synset]) for synset in synsets)) == COUNTS[category]


def test_labels_are_the_alphabetical_positions():
    assert list(CATEGORIES) == sorted(COUNTS)
    assert [LABELS[category] for category in CATEGORIES] == list(range(16))


def test_the_included_lists_equal_the_published_files(shared, tmp_path):
    import tarfile

    with tarfile.open(shared / "image_names.tar.xz") as tar:
        tar.extractall(tmp_path, filter="data")
    folder = next(tmp_path.rglob("airplane.txt")).parent
    assert pack(read_lists(folder)) == pack(shipped_lists())


def test_packing_is_lossless():
    lists = shipped_lists()
    again = unpack(pack(lists))
    assert again.categories == lists.categories
    assert all(np.array_equal(again.numbers[synset], lists.numbers[synset]) for synset in lists.numbers)
    assert again.total == 213_555


@pytest.fixture
def lists_folder(tmp_path):
    for number, category in enumerate(CATEGORIES):
        (tmp_path / f"{category}.txt").write_text(f"n{number:08d}_1.JPEG\nn{number:08d}_12.JPEG\n")
    return tmp_path


def test_other_lists_are_read(lists_folder):
    lists = read_lists(lists_folder)
    assert (lists.total, lists.label("n00000003"), lists.names("n00000003")) == (
        32,
        3,
        ["n00000003_1.JPEG", "n00000003_12.JPEG"],
    )


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "dog.txt",
            "dog1.JPEG\n",
            "line 1: a line must be an ImageNet training file name .*, got 'dog1.JPEG'",
        ),
        ("dog.txt", "n00000010_9223372036854775808.JPEG\n", "must be an ImageNet training file name"),
        ("dog.txt", "n00000001_7.JPEG\n", "must be in one list, got n00000001 in bear.txt and dog.txt"),
        ("dog.txt", "", "is empty"),
        (
            "dog.txt",
            "n00000010_7.JPEG\nn00000010_7.JPEG\n",
            "dog.txt lists 1 image.s. of n00000010 twice: every image must be listed once",
        ),
    ],
)
def test_invalid_lists_are_refused(lists_folder, file, text, message):
    (lists_folder / file).write_text(text)
    with pytest.raises(ConvRNNError, match=message):
        read_lists(lists_folder)


def test_a_missing_list_is_refused(lists_folder):
    (lists_folder / "oven.txt").unlink()
    with pytest.raises(ConvRNNError, match=r"oven\.txt: No such file"):
        read_lists(lists_folder)
