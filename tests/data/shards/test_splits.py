"""A share that is too small for the images there: said by `prepare`, and wherever the split is asked for."""

import json

import pytest

from convrnn_data import ConvRNNError, open_set, prepare


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
    assert notice.startswith("--val 0.1 gives no image of 14 of 16 categories to 'val' (airplane has 2 in all). ")
    assert "--val 0.25 gives at least one image a category" in notice
    (notice,) = prepared(four_each, tmp_path / "b", val=0.25, test=0.2)
    assert notice.startswith("--test 0.2 gives no image of 1 of 16 categories to 'test' (airplane has 2 in all)")
    assert prepared(four_each, tmp_path / "c", val=0.25) == []
    assert prepared(four_each, tmp_path / "d", val=0) == []


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (0.02, "no images in its 'val' split: --val 0.02 of the largest category's 18 images rounds to none"),
        (0, "no images in its 'val' split: it was prepared with --val 0"),
    ],
)
def test_an_empty_split_says_why_and_which_share_fills_it(share, says, class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", images="all", workers=1, val=share, image_names=None)
    opened = open_set(tmp_path / "set")
    said = opened.why_empty("val")
    assert says in said
    assert said.endswith("Prepare the set again in another folder: --val 0.09 gives at least one image a category")
    with pytest.raises(ConvRNNError, match="has no split 'val'; it has train: .*--val 0.09 gives"):
        opened.table("val")


def test_an_empty_split_of_a_split_file_says_so(class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", images="all", workers=1, val=0)
    split = json.loads((tmp_path / "set" / "split.json").read_text())
    (tmp_path / "own.json").write_text(json.dumps({"train": split["train"]}))
    prepare(class_folders, tmp_path / "other", images="all", workers=1, split_file=tmp_path / "own.json")
    assert "its split file names no images of 'val'" in open_set(tmp_path / "other").why_empty("val")


def test_where_no_share_helps_that_is_said(own_folders, tmp_path):
    for path in sorted((own_folders / "train" / "n02690373").iterdir())[1:]:
        path.unlink()
    (notice,) = prepared(own_folders, tmp_path / "set", val=0.1)
    assert "No share gives every category an image, as the smallest has 1: add images" in notice
