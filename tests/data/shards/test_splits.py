"""Splits: properties of the assignment, and advice on shares that are too small."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_data import ConvRNNError, open_set, prepare
from convrnn_data.shards.splits import assign, share_of, smallest_share


def keyed(numbers):
    keys = np.array([f"n{number % 7:08d}_{number}" for number in numbers], dtype=bytes)
    return keys, np.array([number % 3 for number in numbers])


def by_key(keys, splits):
    return dict(zip(keys.tolist(), splits.tolist(), strict=True))


KEYS = st.lists(st.integers(0, 10**6), min_size=1, max_size=80, unique=True)


@pytest.fixture
def four_each(own_folders):
    for folder in (own_folders / "train").iterdir():
        for path in sorted(folder.iterdir())[1 if folder.name == "n02690373" else 4 :]:
            path.unlink()
    (own_folders / "train" / "n02690373" / "n02690373_2.JPEG").write_bytes(
        (own_folders / "train" / "n02690373" / "n02690373_1.JPEG").read_bytes()
    )
    return own_folders


def prepared(source, out, **settings):
    notices = []
    prepare(source, out, images="all", workers=1, notice=notices.append, **settings)
    return notices


def test_prepare_names_shares_that_leave_categories_without_an_image(four_each, tmp_path):
    (notice,) = prepared(four_each, tmp_path / "a", val=0.1)
    assert notice.startswith(
        "--val 0.1 gives no image of 14 of 16 categories to 'val' (airplane has 2 in all). "
    )
    assert "--val 0.25 gives at least one image a category" in notice
    (notice,) = prepared(four_each, tmp_path / "b", val=0.25, test=0.2)
    assert notice.startswith(
        "--test 0.2 gives no image of 1 of 16 categories to 'test' (airplane has 2 in all)"
    )
    assert prepared(four_each, tmp_path / "c", val=0.25) == []
    assert prepared(four_each, tmp_path / "d", val=0) == []


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.02, "no images in its 'val' split: --val 0.02 of the largest category's 18 images rounds to none"),
        (0, "no images in its 'val' split: it was prepared with --val 0"),
    ],
)
def test_an_empty_split_is_explained_with_a_share_that_fills_it(share, expected, class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", images="all", workers=1, val=share, image_names=None)
    opened = open_set(tmp_path / "set")
    message = opened.why_empty("val")
    assert expected in message
    assert message.endswith(
        "Prepare the set again in another folder: --val 0.09 gives at least one image a category"
    )
    with pytest.raises(ConvRNNError, match=r"has no split 'val'; it has train: .*--val 0.09 gives"):
        opened.table("val")


def test_an_empty_split_of_a_split_file_is_explained(class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", images="all", workers=1, val=0)
    split = json.loads((tmp_path / "set" / "split.json").read_text())
    (tmp_path / "own.json").write_text(json.dumps({"train": split["train"]}))
    prepare(class_folders, tmp_path / "other", images="all", workers=1, split_file=tmp_path / "own.json")
    assert "its split file names no images of 'val'" in open_set(tmp_path / "other").why_empty("val")


def test_the_advice_differs_if_no_share_suffices(own_folders, tmp_path):
    for path in sorted((own_folders / "train" / "n02690373").iterdir())[1:]:
        path.unlink()
    (notice,) = prepared(own_folders, tmp_path / "set", val=0.1)
    assert "No share gives every category an image, as the smallest has 1: add images" in notice


@given(KEYS, st.randoms(use_true_random=False), st.integers(0, 5), st.floats(0, 0.5), st.floats(0, 0.4))
def test_the_split_ignores_order(numbers, random, seed, val, test):
    shuffled = random.sample(numbers, len(numbers))
    one, other = keyed(numbers), keyed(shuffled)
    first = assign(*one, val=val, test=test, seed=seed)
    second = assign(*other, val=val, test=test, seed=seed)
    assert by_key(one[0], first) == by_key(other[0], second)


@given(KEYS, st.integers(0, 5))
def test_the_split_of_a_category_ignores_the_others(numbers, seed):
    keys, labels = keyed(numbers)
    together = by_key(keys, assign(keys, labels, val=0.2, test=0.1, seed=seed))
    for label in np.unique(labels):
        mine = labels == label
        alone = by_key(keys[mine], assign(keys[mine], labels[mine], val=0.2, test=0.1, seed=seed))
        assert alone.items() <= together.items()


@given(KEYS, st.floats(0, 0.5), st.floats(0, 0.4))
def test_the_split_is_exactly_stratified(numbers, val, test):
    keys, labels = keyed(numbers)
    splits = assign(keys, labels, val=val, test=test, seed=0)
    for label in np.unique(labels):
        counts = np.bincount(splits[labels == label], minlength=3)
        total = counts.sum()
        assert abs(counts[1] - total * val) <= 0.5
        assert abs(counts[2] - total * test) <= 1  # its own rounding and that of val


def test_another_seed_gives_another_split():
    keys, labels = keyed(range(300))
    splits = [assign(keys, labels, val=0.5, test=0, seed=seed) for seed in (0, 1)]
    assert 0.3 < np.mean(splits[0] == splits[1]) < 0.7


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ([4] * 16, 0.13),
        ([4, 100], 0.13),
        ([2, 1000], 0.25),
        ([1000], 0.01),
        ([3], 0.17),
        ([1, 50], None),
        ([], 0.01),
    ],
)
def test_the_smallest_share_gives_every_category_an_image(counts, share):
    assert smallest_share(counts) == share
    if share is not None:
        assert all(1 <= share_of(count, share) < count for count in counts)
        assert share == 0.01 or any(share_of(count, share - 0.01) < 1 for count in counts)
