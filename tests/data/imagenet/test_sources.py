import os

import pytest

from convrnn_data import ConvRNNError
from convrnn_data.imagenet.sources import find_source, list_images

WANTED = {"n02690373", "n02085782"}


@pytest.mark.parametrize(
    ("form", "kind"),
    [("class_folders", "class folders"), ("class_tars", "class tars"), ("tar_of_tars", "tar of tars")],
)
def test_every_layout_is_detected(form, kind, request):
    source = find_source(request.getfixturevalue(form))
    listing = list_images(source, WANTED)
    assert source.kind == kind
    assert [one.container.synset for one in listing.classes] == sorted(WANTED)
    assert [one.names.tolist()[0] for one in listing.classes] == [b"n02085782_1.JPEG", b"n02690373_1.JPEG"]
    assert listing.images == 126
    assert "21 synsets, 126 images (a part of ImageNet's 1,000 and 1,281,167)" in listing.summary


def test_the_official_tar_is_found_in_its_folder(tar_of_tars):
    assert find_source(tar_of_tars.parent).kind == "tar of tars"


def test_class_folders_are_found_without_a_train_folder(class_folders):
    assert find_source(class_folders / "train").kind == "class folders"


def test_the_listing_locates_the_images(tar_of_tars, class_folders):
    listing = list_images(find_source(tar_of_tars), WANTED)
    with open(tar_of_tars, "rb") as file:
        for one in listing.classes:
            for name, offset, size in zip(one.names.tolist(), one.offsets, one.sizes, strict=True):
                file.seek(offset)
                original = class_folders / "train" / one.container.synset / name.decode()
                assert file.read(size) == original.read_bytes()


def test_an_unfinished_extraction_is_refused(class_tars, tmp_path):
    (tmp_path / "n02690373").mkdir()
    (tmp_path / "n02085782.tar").write_bytes((class_tars / "n02085782.tar").read_bytes())
    with pytest.raises(ConvRNNError, match="1 class folders and 1 class tars"):
        find_source(tmp_path)


def test_a_pipe_among_images_is_not_opened(own_folders):
    """Opening a pipe would block until something is written to it."""
    os.mkfifo(own_folders / "train" / "n02690373" / "n02690373_1.png")
    with pytest.raises(
        ConvRNNError, match=r"n02690373_1\.png is named like an image but is not a regular file"
    ):
        list_images(find_source(own_folders), WANTED)


def test_other_files_are_foreign(own_folders):
    (own_folders / "train" / "n02690373" / "notes.txt").write_text("x")
    listing = list_images(find_source(own_folders), WANTED)
    assert [one.foreign for one in listing.classes if one.foreign] == [
        (("notes.txt", "not the name of an image (.JPEG, .jpg, .png, .webp)"),)
    ]
