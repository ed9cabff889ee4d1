from pathlib import Path

import pytest

from convrnn_data import ConvRNNError
from convrnn_data.imagenet.listing import (
    IMAGES,
    SYNSETS,
    Container,
    ListedFile,
    Listing,
    Source,
    class_listing,
    is_image,
    key_of,
    stated_synsets,
)

CONTAINER = Container("n02690373", Path("n02690373"))


@pytest.mark.parametrize(
    ("name", "key", "synsets"),
    [
        (b"n02690373_1.JPEG", b"n02690373_1", {b"n02690373"}),
        (b"n02690373_1_n02690373.JPEG", b"n02690373_1", {b"n02690373"}),
        (b"n02690373_1_n01440764.png", b"n02690373_1", {b"n02690373", b"n01440764"}),
        (b"holiday.jpg", b"holiday", set()),
    ],
)
def test_keys_and_classes_come_from_the_name(name, key, synsets):
    assert key_of(name) == key
    assert stated_synsets(name) == synsets


@pytest.mark.parametrize(
    ("name", "expected"), [("a.JPEG", True), ("a.PnG", True), ("a.txt", False), ("a" * 255 + ".jpg", False)]
)
def test_images_are_recognized_by_extension(name, expected):
    assert is_image(name) == expected


def test_files_of_a_class_are_separated_into_images_and_others():
    listing = class_listing(
        CONTAINER,
        [ListedFile("b.jpg", 0, 2, 9), ListedFile("notes.txt", 0, 1, 9), ListedFile("a.jpg", 0, 1, 8)],
    )
    assert listing.names.tolist() == [b"a.jpg", b"b.jpg"]
    assert (listing.sizes.tolist(), listing.stamps.tolist()) == ([1, 2], [8, 9])
    assert [name for name, _ in listing.foreign] == ["notes.txt"]
    with pytest.raises(ConvRNNError, match=r"holds 'a\.jpg' twice: every name must be unique"):
        class_listing(CONTAINER, [ListedFile("a.jpg", 0, 1, 8), ListedFile("a.jpg", 512, 1, 8)])


@pytest.mark.parametrize(
    ("synsets", "images", "words"), [(SYNSETS, IMAGES, "(all of"), (SYNSETS, 7, "(a part of")]
)
def test_the_summary_says_whether_imagenet_is_complete(synsets, images, words):
    source = Source("class folders", Path("x"), (CONTAINER,) * synsets)
    assert words in Listing(source, (), images).summary
